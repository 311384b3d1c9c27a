#!/usr/bin/env bash
# What the Rust code exports under a public name is what the lists in abi/ have: nothing is lost on the way to the archive.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ -e $STATICLIB ]] || fail "$STATICLIB is missing: build the library first"
# What begins with mcc_private_ is between our C files and the Rust code. readelf, not nm: that loads LLVM's plugin, which does not get through the bitcode in Rust's own objects.
exported=$("$READELF" --symbols --wide "$STATICLIB" 2>/dev/null |
    awk '($5 == "GLOBAL" || $5 == "WEAK") && $6 == "DEFAULT" && $7 != "UND" && $8 ~ /^(mcc|pal)_/ && $8 !~ /^mcc_private_/ { print $8 }' | sort -u)
expect_equal "exports of the library and the lists in abi/" "$(public_symbols)" "$exported"
