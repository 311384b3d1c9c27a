#!/usr/bin/env bash
# Installs into an empty prefix, and through DESTDIR, and looks at what is there.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
fresh_folder
rm -rf "$PREFIX"

"$CMAKE" --install "$BUILD" --prefix "$PREFIX" >/dev/null
DESTDIR=$WORK/staging "$CMAKE" --install "$BUILD" --prefix /usr >/dev/null

listing() { (cd "$1" && find . ! -type d | sed -E 's,/lib/[a-z0-9_]+-linux-[a-z]+/,/lib/,' | sort); }
expect_equal "DESTDIR installs the same files" "$(listing "$PREFIX")" "$(listing "$WORK/staging/usr")"
expect_equal "DESTDIR keeps to its folder" "usr" "$(ls "$WORK/staging")"
files=$(listing "$PREFIX")
for file in bin/mbed-cloud-connectivity-settings include/mbed_cloud_connectivity.h lib/libmbed_cloud_connectivity.a \
    lib/cmake/MbedCloudConnectivity/MbedCloudConnectivityConfig.cmake \
    lib/cmake/MbedCloudConnectivity/MbedCloudConnectivityConfigVersion.cmake \
    lib/cmake/MbedCloudConnectivity/MbedCloudConnectivityFunctions.cmake \
    lib/pkgconfig/mbed-cloud-connectivity.pc LICENSE \
    share/man/man1/mbed-cloud-connectivity-settings.1 CHANGELOG.md \
    bin/mbed-netcheck share/man/man1/mbed-netcheck.1 share/bash-completion/completions/mbed-netcheck \
    share/zsh/site-functions/_mbed-netcheck share/fish/vendor_completions.d/mbed-netcheck.fish netcheck.schema.json; do
    expect_in "$file" "$file" "$files"
done
expect_equal "no file names the build tree" "" "$(grep -rlIF -e "$BUILD" -e "$SOURCE" --include='*.cmake' --include='*.pc' "$PREFIX" || true)"
expect_in "the settings tool runs" "keepalive" "$("$PREFIX/bin/mbed-cloud-connectivity-settings" --help | tr '[:upper:]' '[:lower:]')$("$PREFIX/bin/mbed-cloud-connectivity-settings" | tr '[:upper:]' '[:lower:]')"
# Written by hand: it has the options that the tool has, and no others.
options() { grep -oE -- '(^|[^-A-Za-z])--?[A-Za-z][-a-z]*' | sed -E 's/^[^-]//' | sort -u; }
expect_equal "the settings tool's manual page has its options" "$("$PREFIX/bin/mbed-cloud-connectivity-settings" --help | sed -n 's/^  \(-.*\)/\1/p' | sed 's/  .*//' | options)" \
    "$(sed -n '/^[.]SH OPTIONS/,/^[.]SH EXIT/{ s/\\-/-/g; /^[.]B[IR] -/p; }' "$PREFIX/share/man/man1/mbed-cloud-connectivity-settings.1" | options)"
expect_in "the network check runs" "mbed-netcheck" "$("${emulator[@]}" "$PREFIX/bin/mbed-netcheck" --version)"
for option in region endpoints host resolver cafile cert key timeout json verbose; do
    expect_in "the manual page has --$option" "\\-\\-$option" "$(<"$PREFIX/share/man/man1/mbed-netcheck.1")"
    expect_in "the completions have --$option" "--$option" "$(<"$PREFIX/share/bash-completion/completions/mbed-netcheck")"
done
if [[ ${PAL:?} == ON ]]; then
    expect_in "pal.h, in a folder of its own" "include/mbed-cloud-connectivity/pal.h" "$files"
fi
bash -n "$PREFIX/share/bash-completion/completions/mbed-netcheck" || fail "bash does not read the completions"
