/* How the sanitizers of memory and undefined behaviour work in the tests, whoever starts them. Linked into each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:exitcode=66";
}

const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1:print_summary=1:exitcode=66";
}
