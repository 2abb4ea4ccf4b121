// softmax(scale * q k' + mask) v for heads of up to 128 elements: a block takes 16 queries of a head and
// goes through the keys by 32, rescaling its sums when a greater score appears ("online softmax",
// Milakov and Gimelshein, 2018; by tiles as in FlashAttention, Dao et al., 2022).
// Arguments as attention.cu; n[0] blocks, n[12] blocks of a head. HEAD is the size of q and k, VALUE of v.
#define QUERIES 16
#define KEYS 32
#define OWN ((VALUE + 15) / 16)
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  __shared__ R q[QUERIES][HEAD + 1], k[KEYS][HEAD + 1], v[KEYS][VALUE], p[QUERIES][KEYS + 1];
  int thread = threadIdx.x, tx = thread % 16, ty = thread / 16;
  int length = (int)a.n[3], keys = (int)a.n[4];
  for (s64 block = blockIdx.x; block < a.n[0]; block += gridDim.x) {
    int first = (int)(block % a.n[12]) * QUERIES, at = first + ty;
    s64 head = block / a.n[12] % a.n[1], batch = block / a.n[12] / a.n[1], row = (batch * a.n[1] + head) * length;
    s64 shared_row = (batch * a.n[2] + head / (a.n[1] / a.n[2])) * keys;
    __syncthreads();
    for (int e = thread; e < QUERIES * HEAD; e += 256) {
      int r = e / HEAD, d = e % HEAD;
      q[r][d] = first + r < length ? load<T>(a.p[0], (row + first + r) * HEAD + d) * SCALE : R(0);
    }
    R most = -INFINITY, sum = 0, result[OWN] = {};
    int end = CAUSAL && first + QUERIES < keys ? first + QUERIES : keys;
    for (int k0 = 0; k0 < end; k0 += KEYS) {
      __syncthreads();
      for (int e = thread; e < KEYS * HEAD; e += 256) {
        int r = e / HEAD, d = e % HEAD;
        k[r][d] = k0 + r < keys ? load<T>(a.p[1], (shared_row + k0 + r) * HEAD + d) : R(0);
      }
      for (int e = thread; e < KEYS * VALUE; e += 256) {
        int r = e / VALUE, d = e % VALUE;
        v[r][d] = k0 + r < keys ? load<T>(a.p[2], (shared_row + k0 + r) * VALUE + d) : R(0);
      }
      __syncthreads();
      R score[2] = {};
#pragma unroll 16
      for (int d = 0; d < HEAD; d++)
        for (int s = 0; s < 2; s++) score[s] += q[ty][d] * k[tx + 16 * s][d];
      for (int s = 0; s < 2; s++) {
        int key = k0 + tx + 16 * s;
#if MASKED
        s64 place = batch * a.n[8] + head * a.n[9] + at * a.n[10] + key * a.n[11];
        bool seen = key < a.n[7] && key < keys && at < length;
        if (!seen) score[s] = -INFINITY;
        else if (MASK_IS_BOOL) score[s] = load<M>(a.p[3], place) != 0 ? score[s] : -INFINITY;
        else score[s] += (R)load<M>(a.p[3], place);
#endif
        if (key >= keys || (CAUSAL && key > at)) score[s] = -INFINITY;
        p[ty][tx + 16 * s] = score[s];
      }
      __syncthreads();
      R next = most, added = 0;
      for (int j = 0; j < KEYS; j++) next = p[ty][j] > next || p[ty][j] != p[ty][j] ? p[ty][j] : next;
      R shift = next == -INFINITY ? R(0) : next, old = exp(most - shift);
      __syncthreads();
      for (int s = 0; s < 2; s++) p[ty][tx + 16 * s] = exp(score[s] - shift);
      __syncthreads();
      for (int i = 0; i < OWN; i++) result[i] *= old;
      for (int j = 0; j < KEYS; j++) {
        R w = p[ty][j];
        added += w;
#pragma unroll
        for (int i = 0; i < OWN; i++)
          if (VALUE % 16 == 0 || tx + 16 * i < VALUE) result[i] += w * v[j][tx + 16 * i];
      }
      sum = sum * old + added;
      most = next;
    }
    for (int i = 0; i < OWN; i++) {
      int e = tx + 16 * i;
      if (at < length && e < VALUE)
        finish(a, (row + at) * VALUE + e, e, sum > 0 || sum != sum ? result[i] / sum : R(0));
    }
  }
}
