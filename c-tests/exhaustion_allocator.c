/* The C library's allocator with allocations that fail, for the process as a whole: the library's, Mbed TLS's and the C library's own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "exhaustion.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LASTS_AT_MOST_MS = 1000 };

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ALLOCATES
#endif

/* The C library's own, under the names that it has for programs like this one. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static atomic_bool is_on;
static atomic_bool is_lasting;
static atomic_bool has_run_out;
static atomic_uint_fast64_t first_to_fail;
static atomic_uint_fast64_t counted;
static atomic_uint_fast64_t began_ms;
static atomic_size_t refused_size;
static atomic_long blocks;
static atomic_uint_fast64_t allocations;

void begin_shortage(shortage_t shortage)
{
    atomic_store(&counted, 0);
    atomic_store(&began_ms, 0);
    atomic_store(&has_run_out, false);
    atomic_store(&first_to_fail, shortage.first);
    atomic_store(&is_lasting, shortage.lasting);
    atomic_store(&is_on, shortage.first != 0);
}

void end_shortage(void)
{
    atomic_store(&is_on, false);
}

bool shortage_was_reached(void)
{
    return atomic_load(&first_to_fail) != 0 && atomic_load(&counted) >= atomic_load(&first_to_fail);
}

bool shortage_ran_out(void)
{
    return atomic_load(&has_run_out);
}

size_t last_refused(void)
{
    return atomic_load(&refused_size);
}

uint64_t allocations_so_far(void)
{
    return atomic_load(&allocations);
}

long allocated_blocks(void)
{
    return atomic_load(&blocks);
}

/* A sanitizer has an allocator of its own: there is no shortage of memory then, and nothing is counted. */
#if defined(ALLOCATES)
static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* This thread is in the C library's lookup. */
static _Thread_local bool looks_up;

/* The C library ends the process where it cannot note the end of a thread: nothing that a library could do anything about. */
static bool ends_the_process(const void *caller)
{
    Dl_info where;
    return dladdr(caller, &where) != 0 && where.dli_sname != NULL && strcmp(where.dli_sname, "__cxa_thread_atexit_impl") == 0;
}

static bool fails(size_t size, const void *caller)
{
    atomic_fetch_add(&allocations, 1);
    if (!atomic_load(&is_on) || looks_up) {
        return false;
    }
    uint64_t number = atomic_fetch_add(&counted, 1) + 1;
    uint64_t first = atomic_load(&first_to_fail);
    if (number < first || (number > first && !atomic_load(&is_lasting))) {
        return false;
    }
    if (number == first) {
        atomic_store(&began_ms, now_ms());
    } else if (atomic_load(&began_ms) != 0 && now_ms() - atomic_load(&began_ms) > LASTS_AT_MOST_MS) {
        atomic_store(&has_run_out, true);
        atomic_store(&is_on, false);
        return false;
    }
    if (ends_the_process(caller)) {
        return false;
    }
    atomic_store(&refused_size, size);
    errno = ENOMEM;
    return true;
}

static void *counting(void *block)
{
    if (block != NULL) {
        atomic_fetch_add(&blocks, 1);
    }
    return block;
}

void *malloc(size_t size)
{
    return fails(size, __builtin_return_address(0)) ? NULL : counting(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return fails(count * size, __builtin_return_address(0)) ? NULL : counting(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
    if (size != 0 && fails(size, __builtin_return_address(0))) {
        return NULL;
    }
    bool was_there = block != NULL;
    void *moved = __libc_realloc(block, size);
    atomic_fetch_add(&blocks, (moved != NULL && !was_there) - (moved == NULL && was_there && size == 0));
    return moved;
}

void *memalign(size_t alignment, size_t size)
{
    return fails(size, __builtin_return_address(0)) ? NULL : counting(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(size, __builtin_return_address(0)) ? NULL : counting(__libc_memalign(alignment, size));
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *made = fails(size, __builtin_return_address(0)) ? NULL : counting(__libc_memalign(alignment, size));
    if (made == NULL) {
        return ENOMEM;
    }
    *block = made;
    return 0;
}

void free(void *block)
{
    if (block != NULL) {
        atomic_fetch_sub(&blocks, 1);
    }
    __libc_free(block);
}

static int (*real_lookup)(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found);

__attribute__((constructor)) static void find_lookup(void)
{
    *(void **)&real_lookup = dlsym(RTLD_NEXT, "getaddrinfo");
}

/* A lookup counts as one allocation. Within it none fails: at some of them glibc 2.36 ends the process, by assertions of its own
 * (nss_database.c) or a null pointer, and at others it hangs. */
int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict found)
{
    if (fails(1, __builtin_return_address(0))) {
        return EAI_MEMORY;
    }
    looks_up = true;
    int result = real_lookup(name, service, hints, found);
    looks_up = false;
    return result;
}
#endif
