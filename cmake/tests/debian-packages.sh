#!/usr/bin/env bash
# The Debian packages: made of what is built already, installed into an empty root, used by the example, removed without a trace.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for tool in dpkg dpkg-deb dpkg-shlibdeps pkg-config; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: there is no $tool here"
        exit 77
    fi
done
as_root=()
if ((EUID != 0)); then
    if ! command -v fakeroot >/dev/null; then
        echo "skipped: dpkg installs files of root's; run this as root, or install fakeroot"
        exit 77
    fi
    as_root=(fakeroot)
fi
fresh_folder
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$SOURCE/Cargo.toml" | head -n 1)
names=(libmbed-cloud-connectivity-dev mbed-cloud-connectivity-settings mbed-netcheck)

# The time of the build stays what it was, so that cargo has nothing to do; packages are made at another.
"$CMAKE" -S "$SOURCE" -B build -G "$GENERATOR" -D CMAKE_BUILD_TYPE=Release -D CMAKE_INSTALL_PREFIX=/usr -D CMAKE_C_COMPILER="$CC" \
    -D MBED_CLOUD_CONNECTIVITY_TESTS=OFF -D MBED_CLOUD_CONNECTIVITY_CARGO_TARGET_DIR="$CARGO_FOLDER" \
    -D MBED_CLOUD_CONNECTIVITY_PACKAGE_CONTACT="Test <test@device.example>" >output 2>&1 || fail "$(cat output)"
# Nor is the compiler named: what has been compiled would be compiled again.
env -u CC -u CXX "$CMAKE" --build build >output 2>&1 || fail "$(cat output)"
for folder in first second; do
    (umask "$([[ $folder == first ]] && echo 022 || echo 077)" &&
        PACKAGE_BUILD=$WORK/build SOURCE_DATE_EPOCH=1700000000 bash "$SOURCE/script/package" --no-build "$folder" >output 2>&1) || fail "$(cat output)"
done
for name in "${names[@]}"; do
    files=(first/"$name"_*.deb)
    expect_equal "one package $name" 1 "${#files[@]}"
    cmp "${files[0]}" "second/${files[0]##*/}" || fail "$name is not the same when it is made again, with another umask"
    field() { dpkg-deb --field "${files[0]}" "$1"; }
    expect_equal "$name: version" "$version-1" "$(field Version)"
    expect_equal "$name: architecture" "$(dpkg --print-architecture)" "$(field Architecture)"
    expect_equal "$name: who answers for it" "Test <test@device.example>" "$(field Maintainer)"
    if [[ $name == libmbed* ]]; then
        expect_equal "$name: what it needs" "mbed-cloud-connectivity-settings (= $version-1)" "$(field Depends)"
    else
        expect_in "$name: what it needs" "libc6 (>= 2." "$(field Depends)"
    fi
    expect_equal "$name: no script runs at installation" "control md5sums" \
        "$(dpkg-deb --ctrl-tarfile "${files[0]}" | tar -t | grep -v '/$' | sed 's,^[.]/,,' | sort | paste -sd' ')"
    # Ownership, and permissions as Debian has them, whatever the umask.
    expect_equal "$name: owners and permissions" "" "$(dpkg-deb --contents "${files[0]}" |
        grep -vE '^(drwxr-xr-x|-rw-r--r--) root/root |^-rwxr-xr-x root/root .* [.]/usr/bin/' || true)"
done
if command -v lintian >/dev/null; then
    # The maintainer of the test has no address that exists, and no bug of Debian's asks for these packages.
    "${as_root[@]}" lintian --allow-root --fail-on error,warning --suppress-tags bogus-mail-host,initial-upload-closes-no-bugs first/*.deb || fail "lintian has found the above"
    echo "ok: lintian"
fi

root=$WORK/root
mkdir -p "$root/var/lib/dpkg"/{info,updates,triggers}
touch "$root/var/lib/dpkg"/{status,available}
# The libraries of the system are not in there.
dpkg_in_root() { "${as_root[@]}" dpkg --root="$root" --log=/dev/null --force-depends "$@" >output 2>&1 || fail "$(cat output)"; }
before=$(cd "$root" && find . ! -path './var/lib/dpkg/*' | sort)
dpkg_in_root --install first/*.deb

usr=$root/usr
libdir=$usr/lib/$("$CC" -print-multiarch)
for name in "${names[@]}"; do
    doc=$usr/share/doc/$name
    expect_in "$name: licences" "/usr/share/common-licenses/Apache-2.0" "$(cat "$doc/copyright")"
    expect_in "$name: changes" "## $version" "$(gunzip -c "$doc/changelog.gz")"
    expect_equal "$name: Debian's changes" "mbed-cloud-connectivity $version-1 Test <test@device.example> Tue, 14 Nov 2023 22:13:20 +0000" \
        "$(gunzip -c "$doc/changelog.Debian.gz" | dpkg-parsechangelog --file - | awk '/^(Source|Version|Maintainer|Date): / { sub(/^[^ ]+ /, ""); line = line " " $0 } END { print substr(line, 2) }')"
done
expect_in "licences of what is linked in" "Mbed TLS 3.6" "$(cat "$usr/share/doc/libmbed-cloud-connectivity-dev/copyright")"
for file in bin/mbed-netcheck bin/mbed-cloud-connectivity-settings include/mbed_cloud_connectivity.h \
    include/mbed-cloud-connectivity/pal.h share/man/man1/mbed-netcheck.1.gz share/man/man1/mbed-cloud-connectivity-settings.1.gz \
    share/bash-completion/completions/mbed-netcheck share/zsh/vendor-completions/_mbed-netcheck \
    share/fish/vendor_completions.d/mbed-netcheck.fish; do
    [[ -s $usr/$file ]] || fail "no /usr/$file"
done
[[ -s $libdir/libmbed_cloud_connectivity.a ]] || fail "the archive is not in the folder for this architecture"
if command -v doxygen >/dev/null; then
    [[ -s $usr/share/doc/libmbed-cloud-connectivity-dev/html/index.html ]] || fail "the reference is not there"
fi
expect_equal "mbed-netcheck runs" "mbed-netcheck $version" "$("$usr/bin/mbed-netcheck" --version)"
expect_equal "no folder of the machine that built them" "" "$(
    while read -r -d '' file; do
        strings -a "$file" | grep -F -e "$SOURCE" -e "$BUILD" -e "$WORK" -e "$CARGO_FOLDER" -e "${CARGO_HOME:-$HOME/.cargo}" | sed "s,^,${file##*/}: ,"
    done < <(find "$usr" -type f -print0)
)"

# By CMake: the example as it was installed, with the root as the only place where packages are.
cp -r "$usr/share/doc/libmbed-cloud-connectivity-dev/examples/keepalive-client" application
"$CMAKE" -S application -B by-cmake -G "$GENERATOR" -D CMAKE_C_COMPILER="$CC" -D CMAKE_FIND_ROOT_PATH="$root" \
    -D CMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY >output 2>&1 || fail "$(cat output)"
"$CMAKE" --build by-cmake >output 2>&1 || fail "$(cat output)"
expect_in "the package is the one that was installed" "=$libdir/cmake/" "$(grep '^MbedCloudConnectivity_DIR' by-cmake/CMakeCache.txt)"

# By pkg-config, which puts the root before what it says.
export PKG_CONFIG_LIBDIR=$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
read -r -a flags <<<"$(pkg-config --static --cflags --libs mbed-cloud-connectivity)"
for flag in "-I$usr/include" "-I$usr/include/mbed-cloud-connectivity" "-L$libdir"; do
    expect_in "pkg-config" " $flag " " ${flags[*]} "
done
"$CC" -std=c11 -Wall -Wextra -Werror application/main.c "${flags[@]}" -o by-pkg-config
unset PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR

coproc peer { exec "$BUILD/c-tests/coap_peer" --tcp; }
read -r -t 15 listening port <&"${peer[0]}"
expect_equal "the server is there" listening "$listening"
for program in by-cmake/keepalive-client ./by-pkg-config; do
    timeout 30 "$program" --limit 1 "coap://127.0.0.1:$port" >output 2>&1 || fail "$program ended with $?: $(cat output)"
    echo "ok: $program connects"
done

dpkg_in_root --purge "${names[@]}"
expect_equal "nothing is left" "$before" "$(cd "$root" && find . ! -path './var/lib/dpkg/*' | sort)"
