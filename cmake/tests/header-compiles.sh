#!/usr/bin/env bash
# The header compiles alone, without a warning, as C and as C++, also where it is included twice.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
fresh_folder

printf '#include "mbed_cloud_connectivity.h"\n#include "mbed_cloud_connectivity.h"\nint here(void);\nint here(void) { return mcc_version() == 0; }\n' >header.c
cp header.c header.cpp
warnings=(-Wall -Wextra -Wpedantic -Werror -I "$SOURCE/include" -fsyntax-only)
for standard in c99 c11 c17; do
    "$CC" -std="$standard" "${warnings[@]}" -Wstrict-prototypes -Wmissing-prototypes header.c || fail "the header is not $standard"
    echo "ok: $standard"
done
for standard in c++11 c++17 c++20; do
    "$CXX" -std="$standard" "${warnings[@]}" header.cpp || fail "the header is not $standard"
    echo "ok: $standard"
done

# The initialisers of the options too: C and C++ check them where they are used.
{
    echo '#include "mbed_cloud_connectivity.h"'
    sed -n 's/^#define \(MCC_[A-Z]*_OPTIONS_INIT\).*/\1/p' "$SOURCE/include/mbed_cloud_connectivity.h" | while read -r name; do
        kind=${name,,}
        printf '%s_t %s(void);\n%s_t %s(void) { %s_t value = %s; return value; }\n' "${kind%_init}" "make_$kind" "${kind%_init}" "make_$kind" "${kind%_init}" "$name"
    done
} >initialisers.c
grep -q MCC_ initialisers.c || fail "no initialiser was found in the header"
cp initialisers.c initialisers.cpp
"$CC" -std=c11 "${warnings[@]}" initialisers.c || fail "an initialiser is not C11"
"$CXX" -std=c++17 "${warnings[@]}" initialisers.cpp || fail "an initialiser is not C++17"
echo "ok: initialisers"
