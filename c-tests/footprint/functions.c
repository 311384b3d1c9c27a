/* Refers to each function of a list, as a program does that calls them all. */
#define FUNCTION(name) void name(void);
#include "functions.h"
#undef FUNCTION

#define FUNCTION(name) name,
static void (*const volatile functions[])(void) = {
#include "functions.h"
};

int main(int count, char **arguments) {
    (void)arguments;
    return functions[(unsigned)count % (sizeof functions / sizeof *functions)] == 0;
}
