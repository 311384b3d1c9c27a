#!/usr/bin/env bash
# The reference of the C interface is made, and is not made of a header with a fault: script/reference finds each of those planted here.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if ! command -v doxygen >/dev/null; then
    echo "skipped: there is no doxygen here"
    exit 77
fi
fresh_folder

bash "$SOURCE/script/reference" made >output 2>&1 || fail "$(cat output)"
for name in mcc_connection_open MCC_ERR_PATH_SILENT mcc_connection_options_t MCC_CONNECTION_OPTIONS_INIT pal_handShake pal_cancelAddressInfoAsync; do
    grep -qrF ">$name<" made/html || fail "the reference has nothing about $name"
done
expect_equal "no folder of this machine" "" "$(grep -rlF -e "$SOURCE" -e "$WORK" made/html || true)"

# expect_fault <what> <header> <sed's command> <part of the complaint>
expect_fault() {
    rm -rf planted
    mkdir -p planted/settings planted/docs
    cp -r "$SOURCE"/{include,script,abi,README.md,Cargo.toml} planted
    cp -r "$SOURCE/settings/src" planted/settings
    cp -r "$SOURCE/docs/reference" planted/docs
    sed -i "$3" "planted/include/$2"
    ! cmp -s "planted/include/$2" "$SOURCE/include/$2" || fail "$1: nothing was planted"
    if bash planted/script/reference >output 2>&1; then
        fail "$1: it was not found"
    fi
    expect_in "$1" "$4" "$(cat output)"
}
expect_fault "a field without a comment" mbed_cloud_connectivity.h '/How many messages may wait/d' "queue_limit"
expect_fault "a value without a comment" mbed_cloud_connectivity.h '/^    \/\/ Memory has run out/d' "MCC_ERR_OUT_OF_MEMORY"
expect_fault "a function without a comment" pal.h '/^\/\/ How many addresses an answer has/d' "pal_getDNSCount"
expect_fault "a name that is not there" pal.h 's/pal_freeTLS\(. frees\)/pal_endTLS\1/' "pal_endTLS"
expect_fault "a function of no topic" mbed_cloud_connectivity.h 's/^const char \*mcc_version(/const char *mcc_edition(/' "mcc_edition"
