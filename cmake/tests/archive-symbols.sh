#!/usr/bin/env bash
# The archive defines the public symbols and no others, needs nothing but the system's libraries, and carries no bitcode.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
fresh_folder

symbols=$("$NM" --format=posix --extern-only "$ARCHIVE" | awk 'NF >= 2 && !/[]]:$/ { print $1, $2 }')
defined=$(awk '$2 !~ /^[Uwv]$/ { print $1 }' <<<"$symbols" | sort)
expect_equal "global symbols defined are those of the lists in abi/" "$(public_symbols)" "$defined"

# Everything undefined comes from the C library or the compiler's, but for the weak references to the application.
for name in libc.so.6 libm.so.6 libgcc_s.so.1 libgcc.a crtbeginS.o libpthread.so.0 libdl.so.2 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 ld-linux-armhf.so.3; do
    file=$("$CC" -print-file-name="$name")
    [[ $file == */* && -e $file ]] || continue
    if [[ $file == *.[ao] ]]; then
        "$NM" --format=posix --defined-only --extern-only "$file" 2>/dev/null || true
    else
        "$NM" --format=posix --defined-only --dynamic "$file"
    fi
done >listed
# The linker's own.
echo '_GLOBAL_OFFSET_TABLE_ d' >>listed
awk 'NF >= 2 { sub(/@.*/, "", $1); print $1 }' listed | sort -u >provided
[[ $(wc -l <provided) -gt 1000 ]] || fail "the C library's own symbols were not found"
unknown=$(awk '$2 == "U" { print $1 }' <<<"$symbols" | sort -u | comm -23 - provided)
expect_equal "undefined symbols are those of the system's libraries" "" "$unknown"
weak=$(awk '$2 ~ /^[wv]$/ { print $1 }' <<<"$symbols" | sort -u | comm -23 - provided)
# With a function of our copy of Mbed TLS under one of those names, the reference would be to that one and not be weak here.
expect_equal "weak, for an application to define, are those of the lists in abi/, and no others" "$(weak_symbols)" "$weak"

expect_equal "the archive has one member" "mbed_cloud_connectivity.o" "$(ar t "$ARCHIVE")"
sections=$("$READELF" --sections --wide "$ARCHIVE")
expect_equal "no bitcode" "" "$(grep -E '[.]llvm(bc|cmd)' <<<"$sections" || true)"
expect_in "no section groups" "There are no section groups" "$("$READELF" --section-groups --wide "$ARCHIVE")"
if [[ $BUILD_TYPE == Debug ]]; then
    expect_in "debug information is there" ".debug_line" "$sections"
else
    expect_equal "no debug information" "" "$(grep -F .debug_ <<<"$sections" || true)"
fi
printf 'archive: %s bytes\n' "$(stat -c %s "$ARCHIVE")"
