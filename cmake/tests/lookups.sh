#!/usr/bin/env bash
# An application whose header asks for another version of the lookups gets a library that has it: lookups.sh 1 or lookups.sh 3.
# The program is that of c-tests/test_pal_lookup.c, which ctest runs afterwards.
version=$1
set -- add-subdirectory
source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

cat >main.c <<'C'
#include "mbed_cloud_client_user_config.h"
#include "test_pal_lookup.c"
C
project 'find_package(PkgConfig REQUIRED)' \
    'pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)' \
    'set_target_properties(application PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)' \
    "target_sources(application PRIVATE \"$SOURCE/c-tests/pal_support.c\" \"$SOURCE/c-tests/resolver.c\" \"$SOURCE/c-tests/support.c\")" \
    "target_include_directories(application PRIVATE . \"$SOURCE/c-tests\")" \
    'target_compile_options(application PRIVATE -Wall -Wextra -Wpedantic -Werror -g)' \
    'target_compile_definitions(application PRIVATE MCC_TEST_PEER="" MCC_TEST_CERTIFICATES="" MCC_TEST_PEERS_DIRECTORY="" MCC_TEST_MBEDTLS_CID_SERVER="" MCC_TEST_UDP_NAT="")' \
    'target_link_libraries(application PRIVATE PkgConfig::CMOCKA)' \
    'mbed_cloud_connectivity_configure(application)'

# build_it <line of the header...>
build_it() {
    printf '%s\n' "$@" >mbed_cloud_client_user_config.h
    { configure && "$CMAKE" --build build >>output 2>&1; } || fail "$*: $(cat output)"
    echo "ok: $*"
}

if [[ $version == 3 ]]; then
    build_it "#define PAL_DNS_API_VERSION 3" "#define PAL_NET_DNS_IP_SUPPORT 4"
    ./build/application 'only_addresses_*' >output 2>&1 || fail "IPv6 only: $(cat output)"
    echo "ok: IPv6 only"
fi

build_it "#define PAL_DNS_API_VERSION $version"
names=$("$NM" --format=posix --defined-only --extern-only build/connectivity/libmbed_cloud_connectivity.a | cut -d ' ' -f 1 | sort)
expect_equal "its public symbols are those of version $version" "$(cd "$SOURCE/abi" && sort symbols.txt symbols-netcheck.txt symbols-pal.txt "symbols-pal-dns-$version.txt")" \
    "$(grep -v ']:$' <<<"$names")"

if [[ $BUILD_TYPE == Debug ]]; then
    # Other tests look at what cargo made for this build.
    "$CMAKE" --build "$BUILD" --target mbed_cloud_connectivity_archive
fi
