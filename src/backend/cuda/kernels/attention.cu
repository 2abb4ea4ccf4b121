// softmax(scale * q k' + mask) v, a block a query of one head; keys come 256 at a time and the sums are
// rescaled when a greater score appears, so that no length is too long.
// p[0] q, p[1] k, p[2] v, p[3] mask or NULL. n[0] queries (batch x heads x length), n[1] heads,
// n[2] heads of k and v, n[3] length, n[4] keys, n[5] size of q and k, n[6] size of v; n[7] keys that the
// mask speaks of, n[8…11] its strides. Outputs lie as q does, with v's size.
#define MOST_SIZE 256
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  __shared__ R query[MOST_SIZE], weight[256];
  s64 heads = a.n[1], length = a.n[3], keys = a.n[4], size = a.n[5], v_size = a.n[6];
  int thread = threadIdx.x;
  for (s64 block = blockIdx.x; block < a.n[0]; block += gridDim.x) {
    s64 at = block % length, head = block / length % heads, batch = block / length / heads;
    s64 shared_head = batch * a.n[2] + head / (heads / a.n[2]);
    __syncthreads();
    for (s64 d = thread; d < size; d += 256) query[d] = load<T>(a.p[0], block * size + d) * SCALE;
    __syncthreads();
    R most = -INFINITY, sum = 0, result = 0;
    s64 end = CAUSAL && at + 1 < keys ? at + 1 : keys;
    for (s64 first = 0; first < end; first += 256) {
      s64 key = first + thread;
      R score = -INFINITY;
      if (key < end) {
        score = 0;
        for (s64 d = 0; d < size; d++) score += query[d] * load<T>(a.p[1], (shared_head * keys + key) * size + d);
#if MASKED
        s64 place = batch * a.n[8] + head * a.n[9] + at * a.n[10] + key * a.n[11];
        if (key >= a.n[7]) score = -INFINITY;
        else if (MASK_IS_BOOL) score = load<M>(a.p[3], place) != 0 ? score : -INFINITY;
        else score += (R)load<M>(a.p[3], place);
#endif
      }
      R greatest = block_reduce(score, [](R x, R y) { return x > y || x != x ? x : y; });
      R next = greatest > most || greatest != greatest ? greatest : most;
      R shift = next == -INFINITY ? R(0) : next;
      R old = exp(most - shift), w = key < end ? exp(score - shift) : R(0);
      R added = block_reduce(w, [](R x, R y) { return x + y; });
      weight[thread] = w;
      __syncthreads();
      sum = sum * old + added;
      most = next;
      if (thread < v_size) {
        result *= old;
        s64 count = end - first < 256 ? end - first : 256;
        for (s64 j = 0; j < count; j++)
          result += weight[j] * load<T>(a.p[2], (shared_head * keys + first + j) * v_size + thread);
      }
      __syncthreads();
    }
    s64 i = block * v_size + thread;
    if (thread < v_size) finish(a, i, thread, sum > 0 || sum != sum ? result / sum : R(0));
  }
}
