/* What Rust's compiler calls for copies under the thread sanitizer, and what GCC's runtime does not have: the functions whose
 * calls the runtime sees.
 *
 * Built with -fno-builtin: a copy made in place would be seen as the compiler's, or not at all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memset(void *to, int value, size_t size);

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
    return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

void *__tsan_memset(void *to, int value, size_t size)
{
    return memset(to, value, size);
}
