#!/bin/sh
# Installs what Hone's build and tests need and is not there: Debian's or Ubuntu's packages (root or
# sudo), and .venv with the pinned Python packages. Run again, it does nothing.
set -eu
cd "$(dirname "$0")/.."

packages="gcc g++ clang cmake ninja-build make pkg-config git ccache libjansson-dev libxxhash-dev
  zlib1g-dev libturbojpeg0-dev libpng-dev libwebp-dev libopenjp2-7-dev python3 python3-venv python3-dev
  clang-format clang-tidy ca-certificates"

# Installs those of the named packages that are not there.
install_missing() {
  missing=""
  for package in "$@"; do
    dpkg -s "$package" > /dev/null 2>&1 || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  run=""
  [ "$(id -u)" = 0 ] || run="sudo"
  export DEBIAN_FRONTEND=noninteractive
  echo "setup: installing$missing"
  $run apt-get update -qq
  # shellcheck disable=SC2086 # a list of words
  $run apt-get install -y -qq --no-install-recommends $missing > /dev/null
}

# shellcheck disable=SC2086
install_missing $packages

# The sanitizers' run time comes apart from clang and carries its version in its name.
if ! ls "$(clang -print-resource-dir)"/lib/linux/libclang_rt.fuzzer-*.a > /dev/null 2>&1; then
  install_missing "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
fi

# Not requirements-peers.txt: `make bench` gives the peers an environment of their own.
requirements="requirements-build.txt requirements-test.txt requirements-tensorflow.txt"
stamp=.venv/requirements.sha256
# shellcheck disable=SC2086 # a list of words
wanted=$(cat $requirements | sha256sum)
if [ ! -x .venv/bin/python ] || [ "$(cat $stamp 2> /dev/null)" != "$wanted" ]; then
  python=python3
  for candidate in python3.11 python3.12 python3.13 python3; do
    command -v "$candidate" > /dev/null && "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' &&
      python=$candidate && break
  done
  "$python" -m venv .venv
  .venv/bin/python -m pip install -q --upgrade pip
  for file in $requirements; do .venv/bin/python -m pip install -q -r "$file"; done
  echo "$wanted" > $stamp
fi
