/* The program around a shared library that has the example's main function.
 * SPDX-License-Identifier: Apache-2.0
 */

int main_of_library(int count, char **arguments);

int main(int count, char **arguments)
{
    return main_of_library(count, arguments);
}
