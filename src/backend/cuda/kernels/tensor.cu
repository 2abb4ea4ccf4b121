// Tensor cores, for kernels that multiply tiles: products of 16 x 8 by a warp over 32 bytes of depth,
// operands out of shared memory in chunks of 16 bytes, copies to there that go on while others are
// multiplied. On the host the same functions are plain C++ (tests/cuda/on_host.h).
// KIND says what T is multiplied as.
#define KIND_F16 0
#define KIND_BF16 1
#define KIND_TF32 2
#define ELEMENTS ((int)(16 / sizeof(T))) // of a chunk

#ifdef __CUDACC__
#define PTX_ADDRESS(p) ((u32)__cvta_generic_to_shared(p))
// Four 8 x 8 matrices of 16 bits, or 8 x 4 of 32: lane l gives the address of row l % 8 of matrix l / 8,
// and gets of each the l % 4th pair of row l / 4; transposed, the pair of rows of column l / 4.
__device__ __forceinline__ void load_matrices(u32 *r, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(PTX_ADDRESS(row)));
}
__device__ __forceinline__ void load_transposed(u32 *r, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(PTX_ADDRESS(row)));
}
// Copies the first `bytes` of 16 and clears the others.
__device__ __forceinline__ void copy_chunk(void *to, const void *from, int bytes) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(PTX_ADDRESS(to)), "l"(from), "r"(bytes)
               : "memory");
#else
  uint4 chunk = make_uint4(0, 0, 0, 0);
  if (bytes == 16) chunk = *(const uint4 *)from;
  else for (int i = 0; i < bytes / 2; i++) ((u16 *)&chunk)[i] = ((const u16 *)from)[i];
  *(uint4 *)to = chunk;
#endif
}
// The copies since the last call are a batch; `wait_for_copies<n>` waits until at most n batches of
// this thread's are on their way.
__device__ __forceinline__ void end_batch() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int left> __device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
#endif
}
// c += a b: rows l / 4 and l / 4 + 8, columns l % 4 * 2 and the next.
template <int kind> __device__ __forceinline__ void multiply(float *c, const u32 *a, const u32 *b) {
#define MMA(shape, types, a_list, b_list, ...)                                                          \
  asm("mma.sync.aligned." shape ".row.col.f32." types ".f32 {%0, %1, %2, %3}, " a_list           \
               ", " b_list ", {%0, %1, %2, %3};"                                                          \
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : __VA_ARGS__)
#if __CUDA_ARCH__ >= 800
#define MMA_WHOLE(shape, types) MMA(shape, types, "{%4, %5, %6, %7}", "{%8, %9}", "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
  if (kind == KIND_F16) MMA_WHOLE("m16n8k16", "f16.f16");
  if (kind == KIND_BF16) MMA_WHOLE("m16n8k16", "bf16.bf16");
  if (kind == KIND_TF32) MMA_WHOLE("m16n8k8", "tf32.tf32");
#else
  static_assert(kind == KIND_F16, "these tensor cores multiply f16 alone");
  MMA("m16n8k8", "f16.f16", "{%4, %5}", "{%6}", "r"(a[0]), "r"(a[1]), "r"(b[0]));
  MMA("m16n8k8", "f16.f16", "{%4, %5}", "{%6}", "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}
__device__ __forceinline__ u32 to_tf32(u32 bits) {
#if __CUDA_ARCH__ >= 800
  u32 rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(__uint_as_float(bits)));
  return rounded;
#else
  return bits;
#endif
}
// Past what other blocks wrote in the same launch: not out of this multiprocessor's cache.
__device__ __forceinline__ float4 load_shared_sums(const float4 *p) { return __ldcg(p); }
#endif

// Where chunk `chunk` of row `row` lies in a tile whose rows are `bytes` long, so that eight rows at one
// chunk meet eight different groups of banks.
template <int bytes> __device__ __forceinline__ int chunk_of_row(int row, int chunk) {
  const int step = bytes < 128 ? 128 / bytes : 1, most = bytes < 128 ? bytes / 16 - 1 : 7;
  return row * bytes + (chunk ^ (row / step & most)) * 16;
}

// Of 32 columns of a row four lanes have two in each group of eight: afterwards lane l % 4 has group l % 4,
// times `scale`.
__device__ __forceinline__ void gather_eight(const float *sums, float scale, float *eight) {
  bool odd = threadIdx.x & 1, high = threadIdx.x & 2;
  float q[4][2];
#pragma unroll
  for (int i = 0; i < 4; i += 2)
    for (int e = 0; e < 2; e++) {
      float low = sums[4 * i + e], up = sums[4 * i + 4 + e], own = odd ? up : low;
      float other = lane_across(odd ? low : up, 1);
      q[i][e] = odd ? other : own, q[i + 1][e] = odd ? own : other;
    }
#pragma unroll
  for (int i = 0; i < 2; i++)
    for (int e = 0; e < 2; e++) {
      float own = high ? q[i + 2][e] : q[i][e], other = lane_across(high ? q[i][e] : q[i + 2][e], 2);
      eight[2 * i + e] = scale * (high ? other : own), eight[2 * i + 4 + e] = scale * (high ? own : other);
    }
}
