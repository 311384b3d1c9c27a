# Packages of Debian: installed on this system, or unpacked into a private folder of the project. Sourced; the caller has say, fail and skip.
# shellcheck shell=bash

# What apt is told besides: where lists of packages for other machines lie.
apt_options=()
# Here apt's own user may not write.
((EUID != 0)) || apt_options=(-o APT::Sandbox::User=root)

# Sets as_root: how a command becomes root's. Fails where it cannot; the argument is what to do then.
become_root() {
    as_root=()
    ((EUID != 0)) || return 0
    command -v sudo >/dev/null || fail "this needs root, and there is no sudo: $1"
    as_root=(sudo)
}

# install_packages <package...>: those that are missing.
install_packages() {
    local missing=() package as_root
    command -v dpkg-query >/dev/null ||
        fail "this is no Debian: install the equivalents of these by hand: $*"
    for package in "$@"; do
        # Any provider counts: pkgconf provides pkg-config.
        if [[ $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null) != ii* ]]; then
            missing+=("$package")
        fi
    done
    ((${#missing[@]})) || return 0
    become_root "run 'apt-get install ${missing[*]}' as root"
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    # Another run of apt ends some time.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# This system's lists of packages.
update_lists() {
    local as_root
    become_root "run 'apt-get update' as root"
    say "updating apt's lists"
    "${as_root[@]}" apt-get update -qq
}

# use_private_lists <folder> <architecture...>: from now on apt knows this machine's packages and those for others, by lists in a folder,
# which update_private_lists brings up to date. The system's own lists, architectures and packages stay as they are.
use_private_lists() {
    local folder=$1 architecture
    private_lists=$1
    shift
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    # A newer one would have apt read all lists again.
    [[ -e $folder/status ]] || : >"$folder/status"
    # What the release came with, before what security updates bring in: a package has the same version for all architectures there, and
    # the compiler is the oldest that this project promises to build with.
    printf 'Package: *\nPin: release n=%s\nPin-Priority: 990\n' "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" >"$folder/preferences"
    apt_options+=(-o Dir::Etc::Preferences="$folder/preferences" -o Dir::State="$folder" -o Dir::State::Lists="$folder/lists" -o Dir::State::status="$folder/status"
        -o Dir::Cache="$folder/cache" -o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin -o Acquire::Languages=none)
    for architecture in "$(dpkg --print-architecture)" "$@"; do
        apt_options+=(-o "APT::Architectures::=$architecture")
    done
}

update_private_lists() {
    say "updating lists of packages"
    # One of several lists may be missing, or just be replaced on the mirror; what is needed tells whether it matters.
    apt-get "${apt_options[@]}" update -qq >"$private_lists/update.log" 2>&1 ||
        say "not all lists could be had: $private_lists/update.log says why"
}

# The package as apt would install it: "name=version".
candidate() {
    apt-cache "${apt_options[@]}" show --no-all-versions "$1" 2>/dev/null |
        awk '/^Version: / { version = $2 } END { if (version == "") exit 1; print name "=" version }' name="$1"
}

# The package that one depends on and whose name begins so.
dependency() {
    apt-cache "${apt_options[@]}" show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Depends: //p' | tr -s ', ' '\n' |
        awk 'index($0, beginning) == 1 { found = $0 } END { if (found == "") exit 1; print found }' beginning="$2"
}

# rust_packages <suffix> [<package...>]: the packages of Debian's Rust compiler, and more, one a line; fails where apt knows of none.
# The suffix: "-web" for the newer compiler that Debian 12 has beside its first one, or nothing.
rust_packages() {
    local suffix=$1 library llvm package
    shift
    library=$(dependency "libstd-rust$suffix-dev" "libstd-rust$suffix-") || return
    llvm=$(dependency "$library" libllvm) || return
    for package in "rustc$suffix" "libstd-rust$suffix-dev" "$library" "$llvm" "$@"; do
        candidate "$package" || return
    done
}

# download <folder> <packages, one a line>
download() {
    local packages
    mapfile -t packages <<<"$2"
    (cd "$1" && apt-get "${apt_options[@]}" download -qq "${packages[@]}")
}

# unpack <folder> <command that prints the packages, one a line> <command that updates apt's lists>
# Makes the folder anew when the packages are not those that it was made of. Where apt knows none, not even after an update, an earlier
# folder will do; without one, fails.
unpack() {
    local folder=$1 list=$2 update=$3 packages package new=$1.new
    packages=$("$list") || packages=
    if [[ -z $packages && ! -d $folder ]]; then
        "$update"
        packages=$("$list") || return
    fi
    if [[ -d $folder && (-z $packages || $packages == "$(<"$folder/packages")") ]]; then
        return 0
    fi
    say "unpacking ${packages//$'\n'/ }"
    rm -rf "$new"
    mkdir -p "$new"
    if ! download "$new" "$packages"; then
        # The mirror has newer ones than the lists.
        "$update"
        packages=$("$list") || return
        download "$new" "$packages" || fail "these packages could not be downloaded: try again later"
    fi
    for package in "$new"/*.deb; do
        dpkg-deb --extract "$package" "$new" || fail "$package could not be unpacked: is the disk full?"
        rm "$package"
    done
    printf '%s\n' "$packages" >"$new/packages"
    rm -rf "$folder"
    mv "$new" "$folder"
}

# write_rustc <file> <folder>: the compiler of an unpacked folder, with the libraries beside it.
write_rustc() {
    local libraries
    libraries=$(dirname "$(find "$2/usr/lib" -name 'librustc_driver-*.so' -print -quit)")
    cat >"$1" <<END
#!/bin/sh
LD_LIBRARY_PATH='$libraries' exec '$2/usr/bin/rustc' "\$@"
END
    chmod +x "$1"
}
