"""The POSIX scripts a target runs; constant, what varies comes as arguments ``$1`` and so on."""

_STOP_ALL = r"""
stop_all() {
  for file in "$folder"/*.pid; do
    pid=$(cat "$file" 2>/dev/null) || continue
    # A number may be another process's by now.
    [ "$(readlink "/proc/$pid/cwd")" = "$folder" ] && kill "$pid" 2>/dev/null
  done
  n=0
  while rm -rf -- "$folder" 2>/dev/null; [ -e "$folder" ] && [ "$n" -lt 5 ]; do
    n=$((n+1)); sleep 1
  done
  [ ! -e "$folder" ]
}
"""
# Holds the target's lock and the run's folder for as long as its input is open and a byte of it
# arrives every few seconds. A cut connection ends the input; one that only falls silent (a lost
# radio link, a sleeping laptop) does not, often for hours. Then it stops what still runs and
# removes the folder. Folders it finds were left by a reboot or a holder that was killed: whoever
# has the lock is alone.
HOLD = (
    _STOP_ALL
    + r"""
umask 077
trap '' HUP PIPE TERM
cd -- "${TMPDIR:-$1}" || exit 74
base=$(pwd -P)
lock=$base/irnet.lock
silence=$3
command -v flock >/dev/null || { echo 'has no flock (package util-linux)' >&2; exit 74; }
# Of another user it can be read, which is enough to lock it.
[ -e "$lock" ] || (umask 022; : >"$lock")
if [ -L "$lock" ] || [ ! -f "$lock" ]; then echo "$lock is no file" >&2; exit 74; fi
{
  n=0
  until flock -n 9; do  # an earlier run may be about to end
    n=$((n+1))
    if [ "$n" -gt 2 ]; then echo 'another run of irnet is using it' >&2; exit 75; fi
    sleep 1
  done
  for folder in "$base"/irnet-????????????????; do
    [ -f "$folder/holder" ] && [ -O "$folder" ] && stop_all
  done
  folder=$base/irnet-$2
  mkdir -m 700 -- "$folder" || exit 73
  echo $$ >"$folder/holder"
  echo "$folder"
  while [ -n "$(exec timeout -s KILL "$silence" head -c 1 9<&-)" ]; do :; done
  stop_all
} 9<"$lock"
"""
)
# The same from outside, if the target has not noticed the loss of the link after some seconds.
GONE = (
    _STOP_ALL
    + r"""
folder=$1
n=0
while [ -e "$folder" ]; do
  n=$((n+1))
  if [ "$n" -gt 5 ]; then
    kill -KILL "$(cat "$folder/holder")"
    stop_all
    exit
  fi
  sleep 1
done
"""
)
# timeout becomes the leader of a process group and passes signals on to all of it.
RUN = r"""
cd -- "$1" || exit 125
echo $$ > "$2.pid"
limit=$3
shift 3
exec timeout -k 5 "$limit" "$@"
"""
STOP = r'kill "$(cat -- "$1/$2.pid")"'
SPACE = r'df -Pk -- "$1" | tail -n 1'
PYTHON = r'p="$HOME/$1/bin/python"; if [ -x "$p" ]; then echo "$p"; else command -v python3; fi'
SHA256 = r'sha256sum -- "$1"'
