// Pairs of features turned by their token's angle, an element a thread. p[0] x [batch, heads, tokens, features], p[1]
// cosines and p[2] sines, rows of pairs, p[3] the tokens' rows of type I or NULL, p[4] y. n[0] elements, n[1] heads, n[2]
// tokens, n[3] features, n[4] pairs, n[5] rows from a batch entry to the next, n[6] rows of the tables.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    s64 feature = i % a.n[3], token = i / a.n[3] % a.n[2], entry = i / a.n[3] / a.n[2] / a.n[1];
    R x = load<T>(a.p[0], i);
    if (feature < 2 * a.n[4]) {
      s64 row = entry * a.n[5] + token, pair = INTERLEAVED ? feature / 2 : feature % a.n[4];
      bool first = INTERLEAVED ? feature % 2 == 0 : feature < a.n[4];
      if (a.p[3]) row = count_at(a, a.p[3], row, a.n[6]);
      s64 other = i + (first ? 1 : -1) * (INTERLEAVED ? 1 : a.n[4]), at = row * a.n[4] + pair;
      R turned = row < 0 ? R(0) : load<T>(a.p[0], other) * load<T>(a.p[2], at);
      x = row < 0 ? R(0) : x * load<T>(a.p[1], at) + (first ? -turned : turned);
    }
    store<T>(a.p[4], i, x);
  }
}
