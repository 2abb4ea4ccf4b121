// A picture read at the places that a grid gives, an element a thread, channels last. p[0] x [entries, sizes…, channels],
// p[1] the grid of type G, AXES coordinates a pixel, the last axis's first. n[0] elements of y, n[1] channels, n[2] pixels
// of an entry of y, n[8…] sizes of x. MODE: 'n', 'l' or 'c' of nearest, linear, cubic; PADDING: 'z', 'b' or 'r' of zeros,
// border, reflection.
#define TAPS (MODE == 'n' ? 1 : MODE == 'l' ? 2 : 4)

__device__ __forceinline__ R mirrored(R x, R least, R most) {
  R range = most - least;
  if (range <= 0) return least;
  if (x >= least && x <= most) return x;
  R beyond = x < least ? least - x : x - most, turns = floor(beyond / range), rest = beyond - turns * range;
  return (fmod(turns, R(2)) == 0) == (x < least) ? least + rest : most - rest;
}
__device__ __forceinline__ R padded(R x, R size) {
  const R least = ALIGN ? R(0) : R(-0.5);
  if (PADDING == 'b') return fmax(R(0), fmin(size - 1, x));
  return PADDING == 'r' ? mirrored(x, least, size - 1 - least) : x;
}
// Keys, Cubic convolution interpolation, 1981, with a = -0.75.
__device__ __forceinline__ R cubic(R x) {
  const R c = R(-0.75);
  x = fabs(x);
  if (x <= 1) return ((c + 2) * x - (c + 3)) * x * x + 1;
  return x < 2 ? ((c * x - 5 * c) * x + 8 * c) * x - 4 * c : R(0);
}
// The taps of an axis at coordinate `g`; one in the padding weighs nothing.
__device__ __forceinline__ void taps_of(R g, s64 size, s64 *index, R *weight) {
  R x = ALIGN ? (g + 1) / 2 * (R)(size - 1) : ((g + 1) * (R)size - 1) / 2;
  x = fabs(x) < R(1e15) ? x : R(-1e15);
  if (MODE == 'n') x = rint(x);
  if (MODE != 'c') x = padded(x, (R)size);
  s64 base = MODE == 'n' ? (s64)rint(x) : (s64)floor(x) - (MODE == 'c');
  for (int i = 0; i < TAPS; i++) {
    R place = (R)(base + i);
    s64 at = (s64)padded(place, (R)size);
    bool inside = at >= 0 && at < size;
    index[i] = inside ? at : 0;
    weight[i] = !inside ? R(0) : MODE == 'n' ? R(1) : MODE == 'l' ? 1 - fabs(x - place) : cubic(x - place);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    s64 pixel = i / a.n[1], channel = i % a.n[1], index[AXES][TAPS], from = pixel / a.n[2];
    R weight[AXES][TAPS], sum = 0;
    int all = 1;
    for (int d = 0; d < AXES; d++) {
      taps_of((R)load<G>(a.p[1], pixel * AXES + AXES - 1 - d), a.n[8 + d], index[d], weight[d]);
      from *= a.n[8 + d];
      all *= TAPS;
    }
    for (int tap = 0; tap < all; tap++) {
      R product = 1;
      s64 at = 0;
      for (int d = 0, rest = all; d < AXES; d++) {
        int t = tap % rest / (rest / TAPS);
        rest /= TAPS;
        product *= weight[d][t];
        at = at * a.n[8 + d] + index[d][t];
      }
      if (product != 0) sum += product * load<T>(a.p[0], (from + at) * a.n[1] + channel);
    }
    finish(a, i, COLUMN(i), sum);
  }
}
