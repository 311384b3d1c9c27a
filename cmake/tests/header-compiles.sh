#!/usr/bin/env bash
# The headers compile alone, without a warning, as C and as C++, also where they are included twice.
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

# The example of the README, which is the first page of the reference too.
awk '/^```c$/ { inside = 1; next } inside && /^```$/ { exit } inside { print }' "$SOURCE/README.md" >readme.c
grep -q '^int keep_up' readme.c || fail "README.md has no example in C"
"$CC" -std=c11 "${warnings[@]}" readme.c || fail "the example of README.md does not compile"
echo "ok: the example of README.md"

[[ ${PAL:?} == ON ]] || exit 0
printf '#include <pal.h>\n#include <pal.h>\npalStatus_t here(void);\npalStatus_t here(void) { return pal_plat_socketsInit(0); }\n' >pal.c
cp pal.c pal.cpp
for version in 0 1 3; do
    "$CC" -std=c99 "${warnings[@]}" -Wstrict-prototypes -Wmissing-prototypes -D PAL_DNS_API_VERSION=$version pal.c || fail "pal.h is not C99"
    "$CXX" -std=c++11 "${warnings[@]}" -D PAL_DNS_API_VERSION=$version pal.cpp || fail "pal.h is not C++11"
done
echo "ok: pal.h"
# A second copy of ours behind the first, such as an installed one behind that of the sources.
mkdir -p copy client
cp "$SOURCE/include/pal.h" copy
"$CC" -std=c99 "${warnings[@]}" -isystem copy pal.c || fail "two copies of pal.h do not go together"
echo "ok: two copies of pal.h"
# The client's own behind ours, also behind both.
printf '%s\n' '#ifndef PAL_H' '#define PAL_H' 'typedef long palStatus_t;' 'palStatus_t pal_plat_socketsInit(void *of_the_client);' '#endif' >client/pal.h
"$CC" -std=c99 "${warnings[@]}" -isystem client pal.c || fail "pal.h does not make way for the client's"
"$CC" -std=c99 "${warnings[@]}" -isystem copy -isystem client pal.c || fail "two copies of pal.h do not make way for the client's"
expect_in "the client's pal.h" "of_the_client" "$("$CC" -E -I "$SOURCE/include" -isystem copy -isystem client pal.c)"
