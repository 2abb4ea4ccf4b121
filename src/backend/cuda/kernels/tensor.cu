// Tensor cores, for kernels that multiply tiles: products of 16 x 8 by a warp over 32 bytes of depth,
// operands out of shared memory in chunks of 16 bytes, copies to there that go on while others are
// multiplied. On the host the same functions are plain C++ (tests/cuda/on_host.h).
// KIND says what T is multiplied as.
#define KIND_F16 0
#define KIND_BF16 1
#define KIND_TF32 2
#define ELEMENTS ((int)(16 / sizeof(T))) // of a chunk
#define IS_SIGNED(T) ((T)-1 < (T)1)

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
// A whole chunk, or half of one, at multiples of its size.
template <int bytes> __device__ __forceinline__ void copy_piece(void *to, const void *from) {
  static_assert(bytes == 16 || bytes == 8, "a chunk or half of one");
#if __CUDA_ARCH__ >= 800
  u32 at = PTX_ADDRESS(to);
  if (bytes == 16) asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(at), "l"(from) : "memory");
  else asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(at), "l"(from) : "memory");
#else
  if (bytes == 16) *(uint4 *)to = *(const uint4 *)from;
  else *(u64 *)to = *(const u64 *)from;
#endif
}
// One word, or 0, from compute capability 8.0 on.
__device__ __forceinline__ void copy_word(void *to, const void *from, bool there) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(PTX_ADDRESS(to)), "l"(from), "r"(there ? 4 : 0)
               : "memory");
#else
  *(u32 *)to = there ? *(const u32 *)from : 0;
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
// The same of bytes in sums that wrap, 32 of depth at once, four of them in a word.
template <bool left_signed, bool right_signed>
__device__ __forceinline__ void multiply_bytes(s32 *c, const u32 *a, const u32 *b) {
#if __CUDA_ARCH__ >= 800
#define MMA_BYTES(types)                                                                                     \
  asm("mma.sync.aligned.m16n8k32.row.col.s32." types ".s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, " \
      "{%0, %1, %2, %3};"                                                                                    \
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])                                                       \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
#else
#define MMA_HALF(types, row, left, right)                                                       \
  asm("mma.sync.aligned.m8n8k16.row.col.s32." types ".s32 {%0, %1}, {%2}, {%3}, {%0, %1};" \
      : "+r"(c[row]), "+r"(c[row + 1]) : "r"(left), "r"(right))
#define MMA_BYTES(types)                                           \
  MMA_HALF(types, 0, a[0], b[0]); MMA_HALF(types, 0, a[2], b[1]); \
  MMA_HALF(types, 2, a[1], b[0]); MMA_HALF(types, 2, a[3], b[1])
#endif
  if (left_signed && right_signed) { MMA_BYTES("s8.s8"); }
  if (left_signed && !right_signed) { MMA_BYTES("s8.u8"); }
  if (!left_signed && right_signed) { MMA_BYTES("u8.s8"); }
  if (!left_signed && !right_signed) { MMA_BYTES("u8.u8"); }
}
// The sum and the four bytes of a word.
template <bool is_signed> __device__ __forceinline__ u32 add_bytes(u32 word, u32 sum) {
  return is_signed ? (u32)__dp4a((int)word, 0x01010101, (int)sum) : __dp4a(word, 0x01010101u, sum);
}
// The value that lane `lane` has.
template <class R> __device__ __forceinline__ R lane_at(R value, int lane) { return __shfl_sync(~0u, value, lane); }
__device__ __forceinline__ u32 to_tf32(u32 bits) {
#if __CUDA_ARCH__ >= 800
  u32 rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(__uint_as_float(bits)));
  return rounded;
#else
  return bits;
#endif
}
// Two values as neighbours of a 16-bit operand, from compute capability 8.0 on.
template <int kind> __device__ __forceinline__ u32 pair_of(float low, float high) {
  u32 pair;
  if (kind == KIND_F16) asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  else asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
// Past what other blocks wrote in the same launch: not out of this multiprocessor's cache.
__device__ __forceinline__ float4 load_shared_sums(const float4 *p) { return __ldcg(p); }
__device__ __forceinline__ uint4 load_shared_words(const uint4 *p) { return __ldcg(p); }
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
