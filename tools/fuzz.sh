#!/bin/sh
# fuzz.sh BUILD SECONDS: runs each fuzz target for so long on its corpus, two at a time; a finding in any
# of them fails the run and shows what that target said.
set -eu
export build=$1 seconds=$2
one() {
  name=$(basename "$1")
  seeds=tests/fuzz/corpus/$name
  found=$build/corpus/$name
  mkdir -p "$found"
  [ -d "$seeds" ] || seeds=
  "$1" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -artifact_prefix="$build/" \
    "$found" $seeds > "$build/$name.log" 2>&1 && code=0 || code=$?
  if [ $code = 0 ]; then tail -n 1 "$build/$name.log" | sed "s/^/$name: /"; else tail -n 60 "$build/$name.log"; fi
  exit $code
}
if [ $# = 3 ]; then one "$3"; fi
ls "$build"/tests/fuzz/fuzz_* | xargs -P 2 -n 1 sh "$0" "$build" "$seconds"
