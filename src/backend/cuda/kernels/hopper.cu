// What GPUs of compute capability 9.0 alone have, for kernels that multiply tiles: boxes of a tensor that
// the copy engine brings into shared memory, barriers there that count its bytes, and products by groups of
// four warps whose operands both lie in shared memory. A row of a box is 128 bytes long, its chunks of 16
// are swizzled by the row; boxes begin at multiples of 1024 bytes. PTX ISA: "Tensors", "Asynchronous
// Warpgroup Level Matrix Multiply-Accumulate". On the host the same functions are plain C++
// (tests/cuda/on_host.h).
struct __align__(64) Map { u64 words[16]; }; // the driver's description of a tensor and its boxes
struct BoxArgs {                              // what such a kernel is given
  Args a;
  Map left, right, third, fourth;
};

#ifdef __CUDACC__
extern __shared__ __align__(1024) char shared_pool[];
__device__ __forceinline__ char *aligned_pool() {
  return shared_pool + (1024 - PTX_ADDRESS(shared_pool) % 1024) % 1024;
}

// A barrier's turn ends when its arrivals and the bytes that they announced have come.
__device__ __forceinline__ void begin_barrier(u64 *barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(PTX_ADDRESS(barrier)), "r"(arrivals) : "memory");
}
// Shows what this thread wrote into shared memory to the copy engine and to products.
__device__ __forceinline__ void show_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
__device__ __forceinline__ void arrive(u64 *barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(PTX_ADDRESS(barrier)) : "memory");
}
__device__ __forceinline__ void arrive_for(u64 *barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(PTX_ADDRESS(barrier)), "r"(bytes) : "memory");
}
// Until the turn of this parity has ended; the turn before the first one has.
__device__ __forceinline__ void wait_for_turn(u64 *barrier, u32 parity) {
  u32 over;
  do {
    asm volatile("{\n.reg .pred over;\nmbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\nselp.u32 %0, 1, 0, over;\n}"
                 : "=r"(over) : "r"(PTX_ADDRESS(barrier)), "r"(parity) : "memory");
  } while (!over);
}
// The same of bytes that other blocks of the cluster store.
__device__ __forceinline__ void wait_for_stores(u64 *barrier, u32 parity) {
  u32 over;
  do {
    asm volatile("{\n.reg .pred over;\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 over, [%1], %2;\nselp.u32 %0, 1, 0, over;\n}"
                 : "=r"(over) : "r"(PTX_ADDRESS(barrier)), "r"(parity) : "memory");
  } while (!over);
}
// Threads of one number meet, as many as are named.
__device__ __forceinline__ void meet(int number, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
}

// Blocks of a cluster: once all threads that have not ended have entered it, their barriers are there for all.
__device__ __forceinline__ void show_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ __forceinline__ void enter_cluster() { asm volatile("barrier.cluster.arrive.relaxed;" ::: "memory"); }
__device__ __forceinline__ void wait_for_cluster() { asm volatile("barrier.cluster.wait;" ::: "memory"); }
// Stores where `to` is in another block's shared memory, and its bytes count at the barrier that is `barrier` there.
__device__ __forceinline__ void store_there(float4 *to, u64 *barrier, int block, float4 v) {
  asm volatile("{\n.reg .b32 place, turn;\nmapa.shared::cluster.u32 place, %0, %2;\nmapa.shared::cluster.u32 turn, %1, %2;\n"
               "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [place], {%3, %4, %5, %6}, [turn];\n}"
               ::"r"(PTX_ADDRESS(to)), "r"(PTX_ADDRESS(barrier)), "r"(block), "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w)
               : "memory");
}

// The box whose first element stands at these places, innermost axis first; what is outside is 0.
__device__ __forceinline__ void copy_box(char *to, const Map &map, u64 *barrier, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
               ::"r"(PTX_ADDRESS(to)), "l"(&map), "r"(PTX_ADDRESS(barrier)), "r"(x), "r"(y), "r"(z) : "memory");
}
// The same of a tensor of four axes.
__device__ __forceinline__ void copy_box(char *to, const Map &map, u64 *barrier, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];"
               ::"r"(PTX_ADDRESS(to)), "l"(&map), "r"(PTX_ADDRESS(barrier)), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
// Has the box in the second cache.
__device__ __forceinline__ void expect_box(const Map &map, int x, int y, int z) {
  asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global.tile [%0, {%1, %2, %3}];" ::"l"(&map), "r"(x), "r"(y), "r"(z)
               : "memory");
}
__device__ __forceinline__ void expect_box(const Map &map, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.prefetch.tensor.4d.L2.global.tile [%0, {%1, %2, %3, %4}];"
               ::"l"(&map), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
// Has the map itself at the copy engine, which the first box would wait for.
__device__ __forceinline__ void expect_map(const Map &map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}
// Pixels of a convolution's windows at one tap, from the window on that begins at column x and row y.
__device__ __forceinline__ void copy_pixels(char *to, const Map &map, u64 *barrier, int channel, int x, int y, int image,
                                            int right, int down) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
               ::"r"(PTX_ADDRESS(to)), "l"(&map), "r"(PTX_ADDRESS(barrier)), "r"(channel), "r"(x), "r"(y), "r"(image),
               "h"((u16)right), "h"((u16)down) : "memory");
}

// An operand in shared memory, by the address of its first row; `by_depth` where rows are 128 bytes long in
// the depth, else they are depth's, 64 columns long, and each next 64 columns begin 8192 bytes on.
__device__ __forceinline__ u64 operand(const char *box, bool by_depth) {
  u64 stride = 1024 >> 4, lead = by_depth ? 1 : 8192 >> 4;
  return (u64)((PTX_ADDRESS(box) & 0x3ffff) >> 4) | lead << 16 | stride << 32 | 1ull << 62;
}
// A left one whose rows are 16 bytes of depth each, eight rows one after the other: from eight rows to the next, and from
// 16 bytes of depth to the next, are any multiples of 16 bytes. It begins at such a multiple.
__device__ __forceinline__ u64 operand_of_eighths(const char *first, int by_depth, int by_rows) {
  return (u64)((PTX_ADDRESS(first) & 0x3ffff) >> 4) | (u64)(by_depth >> 4) << 16 | (u64)(by_rows >> 4) << 32;
}
__device__ __forceinline__ u64 operand_at(u64 first, int bytes) { return first + (bytes >> 4); }

// Products go on while others are asked for: between `begin_products` and `end_products` a batch of them;
// `wait_for_products<n>` waits until at most n batches are left. Sums are not touched meanwhile.
__device__ __forceinline__ void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void end_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int left> __device__ __forceinline__ void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(left) : "memory");
}
// Sums, or words of a left operand, are in their registers by now: before products that read them as after
// those that wrote them.
template <int count> __device__ __forceinline__ void settle(float *sums) {
#pragma unroll
  for (int i = 0; i < count; i++) asm volatile("" : "+f"(sums[i])::"memory");
}
template <int count> __device__ __forceinline__ void settle(u32 *words) {
#pragma unroll
  for (int i = 0; i < count; i++) asm volatile("" : "+r"(words[i])::"memory");
}

// A group of four warps keeps, or gets, so many registers a thread.
template <int count> __device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count> __device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}

#define NAMES(t) "%" #t "0, %" #t "1, %" #t "2, %" #t "3, %" #t "4, %" #t "5, %" #t "6, %" #t "7, %" #t "8, %" #t "9, "
#define NAMES_16 NAMES() "%10, %11, %12, %13, %14, %15"
#define NAMES_32 NAMES() NAMES(1) NAMES(2) "%30, %31"
#define NAMES_52 NAMES() NAMES(1) NAMES(2) NAMES(3) NAMES(4) "%50, %51"
#define NAMES_56 NAMES() NAMES(1) NAMES(2) NAMES(3) NAMES(4) "%50, %51, %52, %53, %54, %55"
#define NAMES_64 NAMES() NAMES(1) NAMES(2) NAMES(3) NAMES(4) NAMES(5) "%60, %61, %62, %63"
#define NAMES_128 \
  NAMES() NAMES(1) NAMES(2) NAMES(3) NAMES(4) NAMES(5) NAMES(6) NAMES(7) NAMES(8) NAMES(9) NAMES(10) NAMES(11) \
  "%120, %121, %122, %123, %124, %125, %126, %127"
#define SUMS_8(i) "+f"(s[i]), "+f"(s[i + 1]), "+f"(s[i + 2]), "+f"(s[i + 3]), "+f"(s[i + 4]), "+f"(s[i + 5]), "+f"(s[i + 6]), "+f"(s[i + 7])
#define SUMS_16(i) SUMS_8(i), SUMS_8(i + 8)
#define SUMS_32(i) SUMS_16(i), SUMS_16(i + 16)
#define SUMS_52(i) SUMS_32(i), SUMS_16(i + 32), "+f"(s[i + 48]), "+f"(s[i + 49]), "+f"(s[i + 50]), "+f"(s[i + 51])
#define SUMS_56(i) SUMS_32(i), SUMS_16(i + 32), SUMS_8(i + 48)
#define SUMS_64(i) SUMS_32(i), SUMS_32(i + 32)
#define SUMS_128(i) SUMS_64(i), SUMS_64(i + 64)
// Whether operands are turned is said of 16 bits alone.
#define TURNS_16(left, right) ", " left ", " right
#define TURNS_8(left, right) ""
#define GROUP_MMA(n, count, k, type, x, y, adds, by_depth)                                                 \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, " adds ", 0;\n"                                     \
               "wgmma.mma_async.sync.aligned.m64n" #n "k" #k ".f32." type "." type " {" NAMES_##count "}, " x \
               ", " y ", adds, 1, 1" TURNS_##k("0", by_depth) ";\n}"                                       \
               : SUMS_##count(0) : "l"(left), "l"(right), "r"((int)more), "n"(!right_by_depth))
// s += left right over 32 bytes of depth, or = where not `more`: of a group's 64 rows thread t has t / 32 * 16 +
// t % 32 / 4 at s[4 j] and the eighth after it at s[4 j + 2], of each 8 columns j two from t % 4 * 2 on.
template <int columns, int kind, bool right_by_depth>
__device__ __forceinline__ void multiply_boxes(float *s, u64 left, u64 right, bool more) {
#define GROUP_MMA_OF(k, type)                                                                      \
  if constexpr (columns == 64) GROUP_MMA(64, 32, k, type, "%32", "%33", "%34", "%35");                         \
  if constexpr (columns == 104) GROUP_MMA(104, 52, k, type, "%52", "%53", "%54", "%55");                       \
  if constexpr (columns == 112) GROUP_MMA(112, 56, k, type, "%56", "%57", "%58", "%59");                       \
  if constexpr (columns == 128) GROUP_MMA(128, 64, k, type, "%64", "%65", "%66", "%67");                       \
  if constexpr (columns == 256) GROUP_MMA(256, 128, k, type, "%128", "%129", "%130", "%131")
  static_assert(kind != KIND_TF32 || right_by_depth, "TF32 is not turned");
  if constexpr (kind == KIND_F16) { GROUP_MMA_OF(16, "f16"); }
  if constexpr (kind == KIND_BF16) { GROUP_MMA_OF(16, "bf16"); }
  if constexpr (kind == KIND_TF32) { GROUP_MMA_OF(8, "tf32"); }
}

#define ROWS_MMA(n, count, type, x, y, adds)                                                               \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, " adds ", 0;\n"                                     \
               "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" NAMES_##count "}, {" x   \
               "}, " y ", adds, 1, 1, 1;\n}"                                                               \
               : SUMS_##count(0) : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"((int)more))
// The same of a left operand in registers: of 16 of depth thread t has pairs as of the sums, the two rows'
// at t % 4 * 2, then eight on. The right one's rows are depth's.
template <int columns, int kind>
__device__ __forceinline__ void multiply_rows(float *s, const u32 *left, u64 right, bool more) {
#define ROWS_MMA_OF(type)                                                                          \
  if constexpr (columns == 32) ROWS_MMA(32, 16, type, "%16, %17, %18, %19", "%20", "%21");                  \
  if constexpr (columns == 64) ROWS_MMA(64, 32, type, "%32, %33, %34, %35", "%36", "%37")
  if constexpr (kind == KIND_F16) { ROWS_MMA_OF("f16"); }
  if constexpr (kind == KIND_BF16) { ROWS_MMA_OF("bf16"); }
}
#endif
