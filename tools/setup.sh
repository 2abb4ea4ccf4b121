#!/bin/sh
# Installs what Hone's build and tests need and is not there: Debian's or Ubuntu's packages (root or
# sudo), and .venv with the pinned Python packages. Run again, it does nothing.
set -eu
cd "$(dirname "$0")/.."

packages="gcc g++ clang cmake ninja-build make pkg-config git ccache libjansson-dev libxxhash-dev
  zlib1g-dev libjpeg-dev libpng-dev python3 python3-venv python3-dev clang-format clang-tidy
  libclang-rt-14-dev ca-certificates"

missing=""
for package in $packages; do
  dpkg -s "$package" > /dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ]; then
  run=""
  [ "$(id -u)" = 0 ] || run="sudo"
  export DEBIAN_FRONTEND=noninteractive
  $run apt-get update -qq
  for package in $missing; do
    # A package that this release names otherwise (such as libclang-rt) is left out, aloud.
    $run apt-get install -y -qq --no-install-recommends "$package" > /dev/null ||
      echo "setup: $package is not to be had here"
  done
fi

stamp=.venv/requirements.sha256
wanted=$(cat requirements-*.txt | sha256sum)
if [ ! -x .venv/bin/python ] || [ "$(cat $stamp 2> /dev/null)" != "$wanted" ]; then
  python=python3
  for candidate in python3.11 python3.12 python3.13 python3; do
    command -v "$candidate" > /dev/null && "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' &&
      python=$candidate && break
  done
  "$python" -m venv .venv
  .venv/bin/python -m pip install -q --upgrade pip
  for file in requirements-*.txt; do .venv/bin/python -m pip install -q -r "$file"; done
  echo "$wanted" > $stamp
fi
