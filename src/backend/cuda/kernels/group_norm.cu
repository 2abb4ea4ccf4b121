// group_norm and instance_norm of [entries, outer, channels, inner]: each entry and group of channels by itself. p[0] x,
// p[1] scale and p[2] bias of the channels or NULL, p[3] moments of each entry, channel and piece, p[4] of each entry and
// group its mean and the reciprocal of its deviation. n[0] elements, n[1] entries, n[2] outer, n[3] channels, n[4] inner,
// n[5] channels of a group, n[6] pieces that a channel's positions are cut into, n[7] positions of a piece.
// PHASE 0 takes moments, 1 joins those of a group, 2 normalises. The order of sums is fixed.
struct Moments {
  R count, mean, squares; // squares: of what is off the mean
};
__device__ __forceinline__ Moments with(const Moments &m, R x) {
  R count = m.count + 1, off = x - m.mean, mean = m.mean + off / count;
  return {count, mean, m.squares + off * (x - mean)};
}
// Chan, Golub, LeVeque, Algorithms for computing the sample variance, 1983.
__device__ __forceinline__ Moments both(const Moments &x, const Moments &y) {
  R count = x.count + y.count, off = y.mean - x.mean;
  if (y.count == 0) return x;
  if (x.count == 0) return y;
  return {count, x.mean + off * (y.count / count), x.squares + y.squares + off * off * (x.count * (y.count / count))};
}

#if PHASE == 0
// The grid's y is the piece, its x an entry's channel, or of rows of channels 32 of them, which the lanes take.
__device__ __forceinline__ void take_rows(const Args &a, s64 begin, s64 end) {
  __shared__ Moments parts[8][32];
  s64 tiles = (a.n[3] + 31) / 32, entry = blockIdx.x / tiles;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  s64 channel = blockIdx.x % tiles * 32 + lane;
  Moments m = {0, 0, 0};
  for (s64 p = begin + warp; p < end && channel < a.n[3]; p += 8)
    m = with(m, load<T>(a.p[0], (entry * a.n[2] + p) * a.n[3] + channel));
  parts[warp][lane] = m;
  __syncthreads();
  if (warp || channel >= a.n[3]) return;
  for (int w = 1; w < 8; w++) m = both(m, parts[w][lane]);
  ((Moments *)a.p[3])[(entry * a.n[3] + channel) * a.n[6] + blockIdx.y] = m;
}
__device__ __forceinline__ void take_channel(const Args &a, s64 begin, s64 end) {
  s64 entry = blockIdx.x / a.n[3], channel = blockIdx.x % a.n[3];
  Moments m = {0, 0, 0};
  for (s64 p = begin + threadIdx.x; p < end; p += 256)
    m = with(m, load<T>(a.p[0], ((entry * a.n[2] + p / a.n[4]) * a.n[3] + channel) * a.n[4] + p % a.n[4]));
  m = block_reduce(m, both);
  if (threadIdx.x == 0) ((Moments *)a.p[3])[blockIdx.x * a.n[6] + blockIdx.y] = m;
}
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 positions = a.n[2] * a.n[4], begin = blockIdx.y * a.n[7], end = begin + a.n[7];
  if (end > positions) end = positions;
  if (a.n[4] == 1) take_rows(a, begin, end);
  else take_channel(a, begin, end);
}
#elif PHASE == 1
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 parts = a.n[5] * a.n[6];
  for (s64 group = blockIdx.x; group < a.n[1] * (a.n[3] / a.n[5]); group += gridDim.x) {
    Moments m = {0, 0, 0};
    for (s64 k = threadIdx.x; k < parts; k += 256) m = both(m, ((const Moments *)a.p[3])[group * parts + k]);
    m = block_reduce(m, both);
    if (threadIdx.x) continue;
    ((R *)a.p[4])[2 * group] = m.mean;
    ((R *)a.p[4])[2 * group + 1] = 1 / sqrt(m.squares / m.count + EPSILON);
  }
}
#else
template <class Index> __device__ __forceinline__ void normalise(const Args &a) {
  Index inner = (Index)a.n[4], channels = (Index)a.n[3], outer = (Index)a.n[2], of_group = (Index)a.n[5];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    Index row = (Index)i / inner, channel = row % channels, entry = row / channels / outer;
    const R *group = (const R *)a.p[4] + 2 * (entry * (channels / of_group) + channel / of_group);
    R y = (load<T>(a.p[0], i) - group[0]) * group[1];
    if (a.p[1]) y *= load<T>(a.p[1], channel);
    if (a.p[2]) y += load<T>(a.p[2], channel);
    store<T>(a.p[5], i, y);
  }
}
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  if (IS_SMALL(a.n[0])) normalise<u32>(a);
  else normalise<s64>(a);
}
#endif
