#!/bin/sh
# fuzz.sh BUILD SECONDS: runs each fuzz target for so long on its corpus; stops at the first finding.
set -eu
build=$1 seconds=$2
for target in "$build"/tests/fuzz/fuzz_*; do
  [ -x "$target" ] && [ -f "$target" ] || continue
  name=$(basename "$target")
  seeds=tests/fuzz/corpus/$name
  found=$build/corpus/$name
  mkdir -p "$found"
  [ -d "$seeds" ] || seeds=
  "$target" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -artifact_prefix="$build/" \
    "$found" $seeds
done
