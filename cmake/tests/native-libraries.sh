#!/usr/bin/env bash
# The list of the system's libraries is what rustc says.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
fresh_folder

target=()
[[ -z $RUST_TARGET ]] || target=(--target "$RUST_TARGET")
rustc=${RUSTC:-$(dirname "$CARGO")/rustc}
[[ -x $rustc ]] || rustc=rustc
touch empty.rs
said=$("$rustc" "${target[@]}" --crate-type staticlib --print native-static-libs --out-dir . empty.rs 2>&1 |
    sed -n 's/^note: native-static-libs: //p' | tr ' ' '\n' | sed 's/^-l//' | awk '!seen[$0]++')
expect_equal "rustc's native-static-libs and abi/native-libraries.txt" "$(grep -v '^#' "$SOURCE/abi/native-libraries.txt" | sort)" "$(sort <<<"$said")"
