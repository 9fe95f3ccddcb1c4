# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fetches the real Debian kernels that the guest tests boot, into a cache outside the checkout.
#
# Nothing here touches the system's own packages: apt runs on a configuration, lists and package state of its own, takes the
# archive's address from the system's sources, and accepts only what Debian's archive keyring signed. What is in the
# cache already is used as it is, with no network.

ksma_cache=${XDG_CACHE_HOME:-$HOME/.cache}/kvm-sma
ksma_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# shellcheck disable=SC2034 # for those who source this file
ksma_kernel_names=(5.10 5.10-cloud 6.1 6.1-cloud 6.12 6.12-cloud 7.2 7.2-cloud)

# The layout below is part of the cache's contents: raise it when it changes, and old entries are fetched again.
ksma_kernel_layout=2

kernel_log() { printf 'kernels: %s\n' "$*" >&2; }

# The suites that carry a series, one attempt a line. 6.12 is taken as built for bookworm, so that its build tools run here.
kernel_suites() {
	case $1 in
	5.10) echo "bullseye bullseye-security" ;;
	6.1) echo "bookworm bookworm-security" ;;
	6.12)
		echo "bookworm-backports"
		echo "trixie trixie-security"
		;;
	7.2)
		echo "sid"
		echo "testing trixie-backports"
		;;
	*) return 1 ;;
	esac
}

# The address of Debian's archive as this machine knows it: $1 is "" for the main archive, "-security" for the other.
kernel_archive() {
	local codename uri
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?}")
	# shellcheck disable=SC2016 # apt expands these, not the shell
	uri=$(apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
		awk -v r="$codename$1" '$1 == "Packages" && $2 == r && $3 == "main" && $4 ~ /\/debian/ { print $4; exit }')
	[ -n "$uri" ] || {
		kernel_log "the system's apt sources name no archive for $codename$1"
		return 1
	}
	printf '%s\n' "$uri"
}

# Runs an apt tool in the isolated state $1.
kernel_apt() {
	local state=$1 tool=$2
	shift 2
	"$tool" -c "$state/apt.conf" "$@"
}

# Prepares an isolated apt state for the suites $2… in $1 and reads the archive's lists.
kernel_apt_init() {
	local state=$1 suite uri
	shift
	mkdir -p "$state/state/lists/partial" "$state/cache/archives/partial" "$state/etc"
	: >"$state/state/status"
	cat >"$state/apt.conf" <<-EOF
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Post-Invoke;
		Dir::State "$state/state";
		Dir::State::status "$state/state/status";
		Dir::Cache "$state/cache";
		Dir::Etc::sourcelist "$state/etc/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		APT::Architecture "amd64";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "3";
	EOF
	for suite in "$@"; do
		case $suite in
		*-security) uri=$(kernel_archive -security) || return 1 ;;
		*) uri=$(kernel_archive "") || return 1 ;;
		esac
		printf 'deb [signed-by=%s] %s %s main\n' "$ksma_keyring" "$uri" "$suite"
	done >"$state/etc/sources.list"
	kernel_apt "$state" apt-get -qq update
}

# Prints the newest version of package $2 in state $1 that belongs to series $3.
kernel_candidate() {
	kernel_apt "$1" apt-cache madison "$2" | awk -F'|' -v s="$3." '
		{ gsub(/ /, "") } index($2, s) == 1 { print $2; exit }'
}

# Prints the packages named by the Depends of package $2 version $3 that match the pattern $4.
kernel_depends() {
	kernel_apt "$1" apt-cache show "$2=$3" | sed -n 's/^Depends: //p' | head -n 1 | tr -s ',|' '\n' |
		sed 's/ *(.*//; s/^ *//' | grep -E "$4" || true
}

# Finds the state in which series $1 is available, and prints it with the version of metapackage $2.
kernel_locate() {
	local series=$1 meta=$2 suites state version
	while read -r suites; do
		state=$ksma_cache/apt/${suites// /+}
		if ! [ -e "$state/fresh" ] || [ -n "$(find "$state/fresh" -mmin +720)" ]; then
			# shellcheck disable=SC2086 # a list of words
			kernel_apt_init "$state" $suites || continue
			touch "$state/fresh"
		fi
		version=$(kernel_candidate "$state" "$meta" "$series")
		if [ -n "$version" ]; then
			printf '%s %s\n' "$state" "$version"
			return 0
		fi
	done < <(kernel_suites "$series")
	kernel_log "no $meta $series in the archive"
	return 1
}

# Downloads packages $3… of state $2 into folder $1.
kernel_download() {
	local folder=$1 state=$2
	shift 2
	mkdir -p "$folder"
	(cd "$folder" && kernel_apt "$state" apt-get -qq download "$@")
}

kernel_fetch_image() {
	local name=$1 series=${1%-cloud} flavour=amd64 meta state version image packages tmp deb release root
	[ "$series" = "$name" ] || flavour=cloud-amd64
	meta=linux-image-$flavour
	read -r state version < <(kernel_locate "$series" "$meta") || return 1
	image=$(kernel_depends "$state" "$meta" "$version" "^linux-image-[0-9].*-$flavour\$" | head -n 1)
	[ -n "$image" ] || {
		kernel_log "$meta $version depends on no image"
		return 1
	}
	# From 7.x the image package is empty: the kernel and the modules are packages of their own.
	packages=$(kernel_depends "$state" "$image" "$version" "^linux-(binary|modules|base)-[0-9]")
	tmp=$(mktemp -d "$ksma_cache/kernels/.$name.XXXXXX")
	kernel_log "fetching $name: $image $version"
	# shellcheck disable=SC2046 # a list of words
	kernel_download "$tmp/debs" "$state" $(for p in $image $packages; do echo "$p=$version"; done) || {
		rm -rf "$tmp"
		return 1
	}
	for deb in "$tmp"/debs/*.deb; do
		dpkg-deb -x "$deb" "$tmp/root"
	done
	root=$tmp/root
	[ -d "$root/lib/modules" ] || root=$root/usr
	release=$(basename "$root"/lib/modules/*)
	depmod -b "$root" "$release"
	mv "$root/lib/modules/$release" "$tmp/modules"
	# Kernel, configuration and symbols lie in /boot, or from 7.x beside the modules. The System.map of a package with debug
	# information elsewhere is a stub that says so.
	find "$tmp/root" "$tmp/modules" -type f \( -name "vmlinuz-$release" -o -name vmlinuz \) -exec mv {} "$tmp/vmlinuz" \;
	find "$tmp/root" "$tmp/modules" -type f \( -name "config-$release" -o -name config \) -exec mv {} "$tmp/config" \;
	find "$tmp/root" "$tmp/modules" -type f -name "System.map*" -size +8k -exec mv {} "$tmp/System.map" \;
	[ -s "$tmp/vmlinuz" ] || {
		kernel_log "$image holds no kernel"
		rm -rf "$tmp"
		return 1
	}
	printf '%s\n' "$release" >"$tmp/version"
	printf '%s\n' "$version" >"$tmp/package-version"
	printf '%s\n' "$ksma_kernel_layout" >"$tmp/layout"
	rm -rf "$tmp/root"
	chmod 755 "$tmp"
	rm -rf "$ksma_cache/kernels/$name"
	mv -T "$tmp" "$ksma_cache/kernels/$name"
}

# Prints the cache folder of kernel $1, fetching it first where it is missing.
kernel_get() {
	local name=$1 folder=$ksma_cache/kernels/$1
	kernel_suites "${name%-cloud}" >/dev/null || {
		kernel_log "no kernel is called $name (one of: ${ksma_kernel_names[*]})"
		return 2
	}
	if [ "$(cat "$folder/layout" 2>/dev/null)" != "$ksma_kernel_layout" ]; then
		mkdir -p "$ksma_cache/kernels"
		(
			flock 9
			[ "$(cat "$folder/layout" 2>/dev/null)" = "$ksma_kernel_layout" ] || kernel_fetch_image "$name"
		) 9>"$ksma_cache/lock" || return 1
	fi
	printf '%s\n' "$folder"
}

# Can the tools that these headers bring run on this machine?
kernel_headers_run_here() {
	local tool libraries
	while read -r tool; do
		libraries=$(ldd "$tool" 2>&1) || return 1
		case $libraries in *'not found'*) return 1 ;; esac
	done < <(find "$1" -type f \( -name fixdep -o -name modpost -o -name objtool -o -name resolve_btfids \))
}

# Fetches into $1 the packages $3… of state $2 and all that they need, for where this machine's own libraries and compiler will not do.
kernel_toolchain_fetch() {
	local root=$1 state=$2 dir deb
	shift 2
	for dir in bin sbin lib lib64; do
		mkdir -p "$root/usr/$dir"
		ln -s "usr/$dir" "$root/$dir"
	done
	mkdir -p "$root"/{dev,proc,tmp,mnt,.debs/partial}
	# The state has no package installed, so this names everything down to the C library.
	kernel_apt "$state" apt-get -qq -y --no-install-recommends --download-only \
		-o Dir::Cache::archives="$root/.debs" install "$@" make libc6 gcc mawk coreutils dash sed grep findutils || return 1
	for deb in "$root"/.debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" -x --keep-directory-symlink || return 1
	done
	rm -rf "$root/.debs"
	ln -sf dash "$root/usr/bin/sh"
	ln -sf mawk "$root/usr/bin/awk"
}

# Adds to kernel $1's folder what modules for it are built with, in headers/.
kernel_headers_fetch() {
	local name=$1 series=${1%-cloud} flavour=amd64 folder=$ksma_cache/kernels/$1 state version release headers packages tmp deb
	[ "$series" = "$name" ] || flavour=cloud-amd64
	read -r state _ < <(kernel_locate "$series" "linux-headers-$flavour") || return 1
	release=$(cat "$folder/version")
	version=$(cat "$folder/package-version")
	headers=linux-headers-$release
	packages=$(kernel_depends "$state" "$headers" "$version" "^linux-(headers|kbuild)-[0-9]")
	[ -n "$packages" ] || {
		kernel_log "$headers $version is not in the archive any more: remove $folder to get the newest $series"
		return 1
	}
	tmp=$(mktemp -d "$folder/.headers.XXXXXX")
	kernel_log "fetching $name: $headers $version"
	# shellcheck disable=SC2046 # a list of words
	kernel_download "$tmp/debs" "$state" $(for p in $headers $packages; do echo "$p=$version"; done) || {
		rm -rf "$tmp"
		return 1
	}
	mkdir "$tmp/root"
	for deb in "$tmp"/debs/*.deb; do
		dpkg-deb -x "$deb" "$tmp/root"
	done
	if ! kernel_headers_run_here "$tmp/root"; then
		kernel_log "$name: its build tools do not run here; fetching the system that they run on"
		rm -rf "$tmp/root"
		mkdir "$tmp/root"
		# shellcheck disable=SC2046 # a list of words
		kernel_toolchain_fetch "$tmp/root" "$state" $(for p in $headers $packages; do echo "$p=$version"; done) || {
			rm -rf "$tmp"
			return 1
		}
		touch "$tmp/root/.toolchain"
	else
		# The package's makefiles name each other by where they would be installed.
		sed -i "s#\(^include \|=\)/usr/src/#\1$folder/headers/usr/src/#" "$tmp"/root/usr/src/linux-headers-*/Makefile
	fi
	rm -rf "$folder/headers"
	mv "$tmp/root" "$folder/headers"
	rm -rf "$tmp"
}

# Makes sure that kernel $1 and its headers are there.
kernel_headers_get() {
	local folder
	folder=$(kernel_get "$1") || return 1
	[ -d "$folder/headers" ] || (
		flock 9
		[ -d "$folder/headers" ] || kernel_headers_fetch "$1"
	) 9>"$ksma_cache/lock"
}

# Runs make for the modules in folder $2 against kernel $1, with the further arguments. kernel_headers_get() comes first.
kernel_make() {
	local headers=$ksma_cache/kernels/$1/headers src=$2 build maps=()
	build=/usr/src/linux-headers-$(cat "$ksma_cache/kernels/$1/version")
	shift 2
	if [ -e "$headers/.toolchain" ]; then
		[ "$(id -u)" -eq 0 ] || maps=(--map-root-user)
		# shellcheck disable=SC2016 # for the inner shell
		unshare "${maps[@]}" --mount sh -ec '
			root=$1 src=$2
			shift 2
			mount --rbind /dev "$root/dev"
			mount --rbind /proc "$root/proc"
			mount --bind "$src" "$root/mnt"
			exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin TMPDIR=/tmp make "$@"
		' sh "$headers" "$src" -C "$build" M=/mnt "$@"
	else
		env -u MAKEFLAGS -u MFLAGS make -C "$headers$build" M="$src" CC=gcc "$@"
	fi
}
