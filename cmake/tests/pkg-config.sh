#!/usr/bin/env bash
# A program found its way to the library through pkg-config alone, also after the package was moved.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
fresh_folder
# Those are for the libraries of another target.
unset PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR

cat >program.c <<'C'
#include <mbed_cloud_connectivity.h>
#include <stdio.h>
int main(void) { printf("%s %u\n", mcc_version(), (unsigned) mcc_keepalive_interval_s()); return 0; }
C
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$SOURCE/Cargo.toml" | head -n 1)
cp -a "$PREFIX" moved
for prefix in "$PREFIX" "$WORK/moved"; do
    folder=$(dirname "$(find "$prefix" -name mbed-cloud-connectivity.pc)")
    export PKG_CONFIG_PATH=$folder
    expect_equal "version" "$version" "$(pkg-config --modversion mbed-cloud-connectivity)"
    for mode in --static --shared; do
        [[ $mode == --static ]] || mode=
        read -r -a flags <<<"$(pkg-config ${mode:+"$mode"} --cflags --libs mbed-cloud-connectivity)"
        "$CC" -Wall -Wextra -Werror program.c "${flags[@]}" -o program
        expect_equal "pkg-config $mode in $prefix" "$version 540" "$("${emulator[@]}" ./program)"
    done
done
# As small as it gets: what an application pays that uses no more than this.
"$CC" -O2 -Wl,--gc-sections -s program.c "${flags[@]}" -o small
printf 'stripped program: %s bytes\n' "$(stat -c %s small)"
