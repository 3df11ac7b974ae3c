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
# Holds the target's lock and the run's folder for as long as its input is open, which the
# target itself ends when the link is cut: it then stops what still runs and removes the folder.
HOLD = (
    _STOP_ALL
    + r"""
umask 077
trap '' HUP PIPE TERM
base=${TMPDIR:-$1}
lock=$base/irnet.lock
folder=$base/irnet-$2
if [ -L "$lock" ]; then echo "$lock is a link" >&2; exit 74; fi
command -v flock >/dev/null || { echo 'has no flock (package util-linux)' >&2; exit 74; }
{
  n=0
  until flock -n 9; do  # an earlier run may be about to end
    n=$((n+1))
    if [ "$n" -gt 2 ]; then
      echo "another run of irnet is using it (process $(cat "$lock") there)" >&2; exit 75
    fi
    sleep 1
  done
  echo $$ >"$lock"
  mkdir -m 700 -- "$folder" || exit 73
  echo $$ >"$folder/holder"
  echo "$folder"
  cat >/dev/null 9>&-
  stop_all
} 9>>"$lock"
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
