#!/usr/bin/env bash
# A folder with an arm64 Debian Python, NumPy and LiteRT, to run aarch64 programs under qemu.
#
#   tools/arm64_userland.sh DIR
#   DIR/python script.py arguments      (QEMU_CPU chooses the CPU, default cortex-a72)
#
# Nothing is installed on this machine: packages are fetched with a private apt state and
# unpacked, no chroot, no binfmt, no mounts. About 30 s and 250 MB. Does nothing if DIR is
# complete. Needs Debian's apt-get, dpkg, qemu-aarch64-static (package qemu-user-static) and a
# Python with pip. Exit status: 0 done, 2 something is missing (named on stderr).
set -euo pipefail

fail() {
  echo "arm64_userland: $*" >&2
  exit 2
}

[ $# -eq 1 ] || fail "usage: tools/arm64_userland.sh DIR"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$(dirname "$1")"
dir=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")

[ ! -f "$dir/.complete" ] || exit 0
[ "$(id -u)" -eq 0 ] || sandbox=$(id -un)
command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "needs Debian's apt-get and dpkg"
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) ||
  fail "needs qemu-aarch64-static: apt-get install qemu-user-static"
command -v flock >/dev/null || fail "needs flock: apt-get install util-linux"
host_python=$(command -v python || command -v python3) || fail "needs Python with pip"
"$host_python" -m pip --version >/dev/null 2>&1 || fail "needs pip for $host_python"

# One at a time; whoever waited finds it done.
exec 9>"$dir.lock"
flock 9
[ ! -f "$dir/.complete" ] || exit 0
work=$dir.partial
rm -rf "$work" "$dir"
trap 'rm -rf "$work"' EXIT
state=$work/apt
tree=$work/tree
mkdir -p "$tree" "$state/lists/partial" "$state/cache/archives/partial"
: >"$state/status" # empty: nothing counts as installed, so that all dependencies are fetched

options=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=0
  -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::State::lists="$state/lists"
  -o Dir::Cache="$state/cache" -o Acquire::Languages=none -o Debug::NoLocking=1
  -o APT::Sandbox::User="${sandbox:-root}")
apt-get "${options[@]}" update -qq >"$work/update.log" 2>&1 || true # judged by what it found

version=""
for candidate in 3.11 3.12 3.13; do # LiteRT has wheels for these
  if apt-cache "${options[@]}" show "python$candidate" >/dev/null 2>&1; then
    version=$candidate
    break
  fi
done
[ -n "$version" ] || fail "apt finds no arm64 python3.11 to 3.13; apt-get update said:
$(tail -n 5 "$work/update.log")"
apt-get "${options[@]}" install -y -qq --download-only "python$version" libstdc++6 \
  >"$work/install.log" 2>&1 || fail "apt could not fetch arm64 python$version:
$(tail -n 5 "$work/install.log")"
for package in "$state"/cache/archives/*.deb; do
  dpkg -x "$package" "$tree"
done

# The same versions as on this machine (requirements.txt); of LiteRT's dependencies its
# interpreter needs NumPy only.
site=$tree/opt/site
mapfile -t wheels < <(grep -E '^(ai-edge-litert|numpy)==' "$root/requirements.txt")
[ "${#wheels[@]}" -eq 2 ] || fail "requirements.txt does not pin ai-edge-litert and numpy"
platforms=()
for tag in 28 27 17; do platforms+=(--platform "manylinux_2_${tag}_aarch64"); done
"$host_python" -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
  --target "$site" "${platforms[@]}" --platform manylinux2014_aarch64 --python-version "$version" \
  --implementation cp --only-binary :all: --no-deps "${wheels[@]}" >"$work/pip.log" 2>&1 ||
  fail "pip could not fetch ${wheels[*]} for aarch64:
$(tail -n 5 "$work/pip.log")"

# LiteRT asks these files which CPU it runs on; the x86 host's make it crash under qemu 7.2.
mkdir -p "$tree/proc" "$tree/sys/devices/system/cpu"
for cpu in 0 1; do
  printf '%s\t: %s\n' processor $cpu BogoMIPS 108.00 Features 'fp asimd evtstrm crc32 cpuid' \
    'CPU implementer' 0x41 'CPU architecture' 8 'CPU variant' 0x0 'CPU part' 0xd08 \
    'CPU revision' 3
  echo
done >"$tree/proc/cpuinfo"
for file in present possible online; do echo 0-1 >"$tree/sys/devices/system/cpu/$file"; done

cat >"$tree/python" <<END
#!/bin/sh
# Python $version for aarch64 under qemu; made by tools/arm64_userland.sh
here=\$(cd "\$(dirname "\$0")" && pwd)
exec $qemu -cpu "\${QEMU_CPU:-cortex-a72}" -L "\$here" -E PYTHONHOME="\$here/usr" \\
  -E PYTHONPATH="\$here/opt/site" -E PYTHONDONTWRITEBYTECODE=1 -E LD_LIBRARY_PATH= \\
  "\$here/usr/bin/python$version" "\$@"
END
chmod +x "$tree/python"
"$tree/python" -c 'import ai_edge_litert.interpreter' >"$work/import.log" 2>&1 ||
  fail "LiteRT does not start under qemu:
$(tail -n 5 "$work/import.log")"
touch "$tree/.complete"
mv "$tree" "$dir"
