# An empty Debian in a folder, for scripts that try what is done on a machine of its own. Sourced by
# them: `empty_debian 12` unpacks one, `inside command …` runs in it, and it goes with the script.

# Give the folder of an empty Debian 12 or 13 in $root.
empty_debian() {
    case $1 in
        12) release=bookworm ;;
        13) release=trixie ;;
        *) echo "$0: Debian 12 or 13" >&2; exit 2 ;;
    esac
    [ "$(id -u)" -eq 0 ] || { echo "$0: needs root" >&2; exit 2; }
    for program in debootstrap git; do
        command -v "$program" >/dev/null || { echo "$0: $program is not installed" >&2; exit 2; }
    done
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed 's|/*$||' |
        grep -m 1 '^http.*/debian$') || mirror=http://deb.debian.org/debian
    root=$(mktemp -d)
    chmod 755 "$root"
    trap remove_debian EXIT
    trap 'exit 130' INT TERM HUP

    echo "An empty Debian $1 in $root"
    debootstrap --variant=minbase --include=ca-certificates \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$release" "$root" "$mirror" \
        >"$root.log" || { cat "$root.log"; exit 1; }
    # A mount point of its own, so that what is mounted in there is seen there alone.
    mount --bind "$root" "$root"
    mount --make-private "$root"
    mount --bind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount --bind /dev/pts "$root/dev/pts"
    reach_packages
    packages_from "$release"
}

remove_debian() {
    [ -z "${child-}" ] || kill -KILL "$child" 2>/dev/null || :
    for place in /dev/shm /dev/pts /dev ''; do
        ! mountpoint -q "$root$place" || umount -l "$root$place"
    done
    rm -rf --one-file-system -- "$root" "$root.log"
}

# How this machine reaches its package indexes: names, proxies, certificates.
reach_packages() {
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/xdg/pip /etc/ssl/certs; do
        [ -e "$file" ] || continue
        rm -rf -- "$root$file"
        mkdir -p "$root${file%/*}"
        cp -rL -- "$file" "$root$file"
    done
    rm -f "$root/etc/xdg/pip/constraints.txt"
    sed -i '/^ *constraint *=/d' "$root/etc/pip.conf" "$root/etc/xdg/pip/pip.conf" 2>/dev/null || true
    for file in /etc/apt/apt.conf.d/*; do
        ! grep -qi 'proxy\|https\?::\|valid-until' "$file" || cp "$file" "$root/etc/apt/apt.conf.d/"
    done
}

packages_from() {
    printf 'deb %s %s main\n' "$mirror" "$1" "$mirror" "$1-updates" >"$root/etc/apt/sources.list"
}

# Run a command in it, with processes of its own: all of them end with it, and it with the script.
inside() {
    unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" \
        chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_DEFAULT_TIMEOUT=180 "$@" &
    child=$!
    wait "$child" # which a signal ends at once
}
