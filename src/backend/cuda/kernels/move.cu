// Elements moved from strides to strides: transpose, slice, expand, concat, split.
// p[0] from, p[1] to. n[0] elements, n[1] rank, n[2] and n[3] where each begins, n[4] whether there are many,
// n[5] to n[7] planes that become channels, elements of one, images; 0 planes: it is no such move.
// n[8…] sizes, n[16…] strides of `from`, n[24…] strides of `to`. T has the elements' width.
// A unit is an element, or eight of them where eight always stay together.
template <class Unit> struct Box {
  static const int unit = sizeof(Unit) / sizeof(T);
  const Args &a;
  int last;
  __device__ __forceinline__ s64 size(int d) const { return d == last ? a.n[8 + d] / unit : a.n[8 + d]; }
  __device__ __forceinline__ s64 stride(int d, int of) const { return d == last ? a.n[of + d] : a.n[of + d] / unit; }
};
struct Spot {
  s64 source, target, column, row; // places on the last axis and the one before it
};
template <class Index, class Unit> __device__ __forceinline__ Spot spot_of(const Box<Unit> &b, s64 i) {
  Index rest = (Index)i;
  Spot s = {0, 0, 0, 0};
  for (int d = b.last; d >= 0; d--) {
    Index size = (Index)b.size(d), at = rest % size;
    rest /= size;
    s.source += at * b.stride(d, 16), s.target += at * b.stride(d, 24);
    if (d == b.last) s.column = at;
    if (d == b.last - 1) s.row = at;
  }
  return s;
}
template <class Index, class Unit> __device__ __forceinline__ void move_units(const Args &a) {
  Box<Unit> b = {a, (int)a.n[1] - 1};
  const Unit *from = (const Unit *)((const T *)a.p[0] + a.n[2]);
  Unit *to = (Unit *)((T *)a.p[1] + a.n[3]);
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0] / b.unit; i += gridDim.x * (s64)blockDim.x) {
    Spot s = spot_of<Index>(b, i);
    to[s.target] = from[s.source];
  }
}

// Eight neighbours of the box by a thread: it finds the first, and goes on from there; `whole` where they
// are neighbours in `to`, at multiples of 16 bytes.
template <bool whole> __device__ __forceinline__ void move_runs(const Args &a) {
  Box<T> b = {a, (int)a.n[1] - 1};
  const T *from = (const T *)a.p[0] + a.n[2];
  T *to = (T *)a.p[1] + a.n[3];
  s64 columns = b.size(b.last), rows = b.last > 0 ? b.size(b.last - 1) : 1;
  s64 next = b.stride(b.last, 16), next_row = b.last > 0 ? b.stride(b.last - 1, 16) - columns * next : 0;
  s64 onward = b.stride(b.last, 24), onward_row = b.last > 0 ? b.stride(b.last - 1, 24) - columns * onward : 0;
  for (s64 i = (blockIdx.x * (s64)blockDim.x + threadIdx.x) * 8; i < a.n[0]; i += gridDim.x * (s64)blockDim.x * 8) {
    Spot s = spot_of<u32>(b, i);
    if (i + 8 > a.n[0]) { // the last ones
      for (s64 k = i; k < a.n[0]; k++) s = spot_of<u32>(b, k), to[s.target] = from[s.source];
      break;
    }
    Eight<T> eight;
#pragma unroll
    for (int e = 0; e < 8; e++) {
      T value = from[s.source];
      if (whole) eight.at[e] = value;
      else to[s.target] = value;
      s.source += next, s.target += onward;
      if (++s.column < columns) continue;
      s.column = 0, s.source += next_row, s.target += onward_row;
      if (++s.row >= rows && e < 7) s = spot_of<u32>(b, i + e + 1);
    }
    if (whole) store_eight<T>(to, i, eight);
  }
}

// Eight pixels by a thread, of planes that lie one after the other.
template <int planes> __device__ __forceinline__ void join_planes(const Args &a) {
  const T *from = (const T *)a.p[0];
  u32 eights = (u32)(a.n[6] / 8), count = eights * (u32)a.n[7];
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    u32 image = i / eights, at = i % eights * 8;
    Eight<T> in[planes], out[planes];
#pragma unroll
    for (int p = 0; p < planes; p++) in[p] = load_eight<T>(from, ((s64)image * planes + p) * a.n[6] + at);
#pragma unroll
    for (int e = 0; e < 8 * planes; e++) out[e / 8].at[e % 8] = in[e % planes].at[e / planes];
#pragma unroll
    for (int p = 0; p < planes; p++) store_eight<T>(a.p[1], ((s64)image * a.n[6] + at) * planes + 8 * p, out[p]);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  int last = (int)a.n[1] - 1;
  bool eights = last >= 0 && a.n[8 + last] % 8 == 0 && a.n[16 + last] == 1 && a.n[24 + last] == 1;
  bool dense = last >= 0;
  s64 steps = a.n[2] | a.n[3], below = 1;
  for (int d = last; d >= 0; d--) {
    if (d < last) steps |= a.n[16 + d] | a.n[24 + d];
    dense = dense && (a.n[8 + d] == 1 || a.n[24 + d] == below);
    below *= a.n[8 + d];
  }
  if (a.n[5] && IS_SMALL(a.n[0]) && (((u64)a.p[0] | (u64)a.p[1]) & 15) == 0) {
    if (a.n[5] == 2) join_planes<2>(a);
    if (a.n[5] == 3) join_planes<3>(a);
    if (a.n[5] == 4) join_planes<4>(a);
    return;
  }
  if (!IS_SMALL(a.n[0])) move_units<s64, T>(a);
  else if (eights && steps % 8 == 0 && (((u64)a.p[0] | (u64)a.p[1]) & 15) == 0) move_units<u32, Eight<T>>(a);
  else if (last < 0 || !a.n[4]) move_units<u32, T>(a);
  else if (dense && (((u64)a.p[1] | a.n[3] * sizeof(T)) & 15) == 0) move_runs<true>(a);
  else move_runs<false>(a);
}
