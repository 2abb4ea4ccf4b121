// CUDA C on the host, for the stand-in compiler: a block's threads are fibres that run to the next
// barrier in turn, blocks run one after the other. Included before a kernel's text as C++.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <ucontext.h>
#include "stand_in_map.h"
#undef M_SQRT1_2
#undef M_2_SQRTPI
using std::exp, std::log, std::sqrt, std::fabs, std::tanh, std::log1p, std::expm1, std::erf, std::erfc;
using std::fmod, std::pow, std::sin, std::cos, std::tan, std::asin, std::acos, std::atan, std::atan2;
using std::sinh, std::cosh, std::asinh, std::acosh, std::atanh;
using std::floor, std::ceil, std::rint, std::trunc;

#define __global__
#define __device__
#define __shared__ static
#define __forceinline__ inline
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
[[noreturn]] static void stop(const char *why) {
  fprintf(stderr, "a kernel on the host: %s\n", why);
  abort();
}
struct Place { unsigned x, y, z; };
static Place threadIdx, blockIdx, blockDim, gridDim;

// Blocks of a cluster run at once; each other block is a cluster of its own.
enum { MOST_BLOCKS = 8, MOST_THREADS = 512 };
static ucontext_t scheduler, fibres[MOST_BLOCKS][MOST_THREADS];
static bool over[MOST_BLOCKS][MOST_THREADS];
static unsigned first_block, member, members = 1; // of the cluster

static void be(unsigned block, unsigned thread) {
  member = block, threadIdx.x = thread;
  blockIdx.x = first_block + block;
}
static void pause_fibre() {
  unsigned block = member, self = threadIdx.x;
  swapcontext(&fibres[block][self], &scheduler);
  be(block, self);
}
// Threads that wait for each other: those of a block, or of a warp. One that ended waits no more.
struct Barrier {
  unsigned members, came, turn;
  void open() { came = 0, turn++; }
  void meet() {
    unsigned now = turn;
    if (++came == members) return open();
    while (turn == now) pause_fibre();
  }
  void leave() {
    if (came == --members && members) open();
  }
};
struct Barriers { Barrier block, warps[MOST_THREADS / 32], named[16]; };
static Barriers barriers[MOST_BLOCKS];
static Barrier cluster_barrier;
static unsigned left[MOST_BLOCKS][MOST_THREADS]; // the cluster's turn that a thread has arrived in
static bool met; // a barrier, by the block's first thread
static void __syncthreads() { met = true, barriers[member].block.meet(); }
static void __syncwarp() { met = true, barriers[member].warps[threadIdx.x / 32].meet(); }
static void __threadfence() {}
template <class A> static void follow(const A &) {}
static void let_next_begin() {}
static void meet(int number, int threads) {
  barriers[member].named[number].members = threads;
  barriers[member].named[number].meet();
}

struct __align__(16) float4 { float x, y, z, w; };
struct __align__(16) uint4 { unsigned x, y, z, w; };
static uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static void store_words(void *p, unsigned x, unsigned y, unsigned z, unsigned w) {
  *(uint4 *)p = {x, y, z, w};
}
struct __align__(8) float2 { float x, y; };
static float2 make_float2(float x, float y) { return {x, y}; }
static float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static float4 load_shared_sums(const float4 *p) { return *p; }
template <class V> static V atomicAdd(V *at, V more) {
  V was = *at;
  *at += more;
  return was;
}
static int atomicMax(int *at, int other) {
  int was = *at;
  if (other > was) *at = other;
  return was;
}

// What the lanes of a warp show each other: every one gives its words, then reads the others'.
struct Shown { unsigned long long words[8]; };
static Shown shown[MOST_BLOCKS][MOST_THREADS];
static const Shown *show(const Shown &mine) {
  shown[member][threadIdx.x] = mine;
  __syncwarp();
  return shown[member] + threadIdx.x / 32 * 32;
}
static float __uint_as_float(unsigned bits) { float v; memcpy(&v, &bits, 4); return v; }
static unsigned __float_as_uint(float v) { unsigned bits; memcpy(&bits, &v, 4); return bits; }
static float half_value(unsigned short bits) {
  unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
  float v = exponent == 31 ? (fraction ? NAN : INFINITY)
            : exponent     ? std::ldexp(1024.0f + fraction, (int)exponent - 25)
                           : std::ldexp((float)fraction, -24);
  return bits & 0x8000 ? -v : v;
}
static float power_of_two(float exponent) { return std::exp2(exponent); }
static void half_values(unsigned pair, float *values) {
  values[0] = half_value((unsigned short)pair), values[1] = half_value((unsigned short)(pair >> 16));
}
static unsigned short half_bits(float v) {
  unsigned short sign = __float_as_uint(v) >> 31 << 15;
  float a = std::fabs(v);
  if (a != a) return sign | 0x7e00;
  if (a >= 65520.0f) return sign | 0x7c00;
  int exponent;
  std::frexp(a, &exponent);
  if (a == 0 || exponent < -13) return sign | (unsigned short)std::nearbyint(std::ldexp(a, 24));
  unsigned rounded = (unsigned)std::nearbyint(std::ldexp(a, 11 - exponent));
  return (unsigned short)(sign + ((unsigned)(exponent + 13) << 10) + rounded);
}
template <class V> static V atomicCAS(V *at, V old, V next) {
  V was = *at;
  if (was == old) *at = next;
  return was;
}

// What kernels/tensor.cu says in PTX. Copies wait until their thread waits for them.
static float tensor_value(int kind, const unsigned *words, int element) {
  unsigned word = words[kind == 2 ? element : element / 2];
  unsigned short half = (unsigned short)(word >> element % 2 * 16);
  if (kind == 2) return __uint_as_float(word & ~0x1fffu);
  return kind == 1 ? __uint_as_float((unsigned)half << 16) : half_value(half);
}
// Row or column `line` of an operand at place `k` of the depth: lane and registers as the instruction's.
static float operand(int kind, const Shown *warp, int first, int step, int line, int k) {
  int each = kind == 2 ? 1 : 2, half = k / (4 * each);
  const Shown &owner = warp[line % 8 * 4 + k % (4 * each) / each];
  unsigned words[1] = {(unsigned)owner.words[first + line / 8 + half * step]};
  return tensor_value(kind, words, k % each);
}
template <int kind> static void multiply(float *c, const unsigned *a, const unsigned *b) {
  const Shown *warp = show({{a[0], a[1], a[2], a[3], b[0], b[1]}});
  int lane = threadIdx.x % 32;
  for (int e = 0; e < 4; e++)
    for (int k = 0; k < (kind == 2 ? 8 : 16); k++)
      c[e] += operand(kind, warp, 0, 2, lane / 4 + e / 2 * 8, k) *
              operand(kind, warp, 4, 1, lane % 4 * 2 + e % 2, k);
  __syncwarp();
}
static void load_lanes(unsigned *r, const void *row, bool transposed) {
  const Shown *warp = show({{(unsigned long long)row}});
  int lane = threadIdx.x % 32;
  for (int m = 0; m < 4; m++)
    for (int e = 0; e < 2; e++) {
      int from = transposed ? lane % 4 * 2 + e : lane / 4, at = transposed ? lane / 4 : lane % 4 * 2 + e;
      unsigned short half = ((const unsigned short *)warp[8 * m + from].words[0])[at];
      r[m] = e ? r[m] | (unsigned)half << 16 : half;
    }
  __syncwarp();
}
static void load_matrices(unsigned *r, const void *row) { load_lanes(r, row, false); }
static void load_transposed(unsigned *r, const void *row) { load_lanes(r, row, true); }
template <class R> static R lane_across(R value, int bit) {
  Shown mine = {};
  R other;
  memcpy(mine.words, &value, sizeof value);
  const Shown *warp = show(mine);
  memcpy(&other, warp[(threadIdx.x % 32) ^ bit].words, sizeof other);
  __syncwarp();
  return other;
}
static unsigned to_tf32(unsigned bits) {
  bool finite = (bits & 0x7f800000u) != 0x7f800000u;
  return finite ? (bits + 0x1000u) & ~0x1fffu : bits;
}

// Of bytes: four neighbours of the depth in a word.
static long long byte_operand(bool is_signed, const Shown *warp, int first, int step, int line, int k) {
  const Shown &owner = warp[line % 8 * 4 + k % 16 / 4];
  unsigned char byte = (unsigned char)(owner.words[first + line / 8 + k / 16 * step] >> k % 4 * 8);
  return is_signed ? (signed char)byte : byte;
}
template <bool left_signed, bool right_signed>
static void multiply_bytes(int *c, const unsigned *a, const unsigned *b) {
  const Shown *warp = show({{a[0], a[1], a[2], a[3], b[0], b[1]}});
  int lane = threadIdx.x % 32;
  for (int e = 0; e < 4; e++) {
    long long sum = c[e];
    for (int k = 0; k < 32; k++)
      sum += byte_operand(left_signed, warp, 0, 2, lane / 4 + e / 2 * 8, k) *
             byte_operand(right_signed, warp, 4, 1, lane % 4 * 2 + e % 2, k);
    c[e] = (int)(unsigned)sum;
  }
  __syncwarp();
}
template <bool is_signed> static unsigned add_bytes(unsigned word, unsigned sum) {
  for (int i = 0; i < 32; i += 8)
    sum += is_signed ? (signed char)(word >> i) : (unsigned char)(word >> i);
  return sum;
}
static unsigned __byte_perm(unsigned x, unsigned y, unsigned places) {
  unsigned long long both = x | (unsigned long long)y << 32;
  unsigned word = 0;
  for (int i = 0; i < 4; i++) word |= (unsigned)(both >> (places >> 4 * i & 7) * 8 & 255) << 8 * i;
  return word;
}
template <class R> static R lane_at(R value, int lane) {
  Shown mine = {};
  R other;
  memcpy(mine.words, &value, sizeof value);
  const Shown *warp = show(mine);
  memcpy(&other, warp[lane].words, sizeof other);
  __syncwarp();
  return other;
}
static uint4 load_shared_words(const uint4 *p) { return *p; }

struct Copy { void *to; const void *from; int bytes, batch, room; };
static std::deque<Copy> copies[MOST_BLOCKS][MOST_THREADS];
static int batches[MOST_BLOCKS][MOST_THREADS];
static void copy_chunk(void *to, const void *from, int bytes) {
  copies[member][threadIdx.x].push_back({to, from, bytes, batches[member][threadIdx.x], 16});
}
template <int bytes> static void copy_piece(void *to, const void *from) {
  if ((uintptr_t)to % bytes || (uintptr_t)from % bytes) stop("a piece lies at no multiple of its size");
  copies[member][threadIdx.x].push_back({to, from, bytes, batches[member][threadIdx.x], bytes});
}
static void copy_word(void *to, const void *from, bool there) {
  if ((uintptr_t)to % 4 || (uintptr_t)from % 4) stop("a word lies at no multiple of its size");
  copies[member][threadIdx.x].push_back({to, from, there ? 4 : 0, batches[member][threadIdx.x], 4});
}
static void end_batch() { batches[member][threadIdx.x]++; }
template <int left> static void wait_for_copies() {
  std::deque<Copy> &own = copies[member][threadIdx.x];
  for (; !own.empty() && own.front().batch < batches[member][threadIdx.x] - left; own.pop_front()) {
    const Copy &c = own.front();
    memset(c.to, 0, c.room);
    memcpy(c.to, c.from, c.bytes);
  }
}

// What kernels/hopper.cu says in PTX. Products are done at once, boxes land while threads wait.
typedef unsigned long long u64;
enum { MOST_SHARED = 232448 };
static char *aligned_pool() {
  static char pool[MOST_BLOCKS * MOST_SHARED] __attribute__((aligned(1024)));
  return pool + member * MOST_SHARED;
}
// Where a kernel does not say CLUSTER, a cluster is one block, which does the work of all.
#define __cluster_dims__(...)
static int cluster_blocks() { return (int)members; }
static void leave_cluster() {
  left[member][threadIdx.x] = cluster_barrier.turn;
  if (++cluster_barrier.came == cluster_barrier.members) cluster_barrier.open();
}
static void wait_for_cluster() {
  while (left[member][threadIdx.x] == cluster_barrier.turn) pause_fibre();
}
static void meet_cluster() {
  if (members == 1) return __syncthreads();
  met = true, leave_cluster(), wait_for_cluster();
}
static void show_barriers() {}
static void enter_cluster() { met = true, leave_cluster(); }
template <class V> static V *in_block(V *place, int block) {
  return (V *)((char *)place + (block - (int)member) * (members > 1 ? MOST_SHARED : 0));
}
struct Turns { // in the place of a barrier's word
  unsigned members : 12, left : 12, parity : 1;
  int bytes;
  void end() {
    if (left == 0 && bytes == 0) left = members, parity ^= 1;
  }
};
static void begin_barrier(u64 *b, int arrivals) {
  *(Turns *)b = {(unsigned)arrivals, (unsigned)arrivals, 0, 0};
}
static void show_shared() {}
// One that arrives after all of the turn is an illegal instruction on a GPU.
static void arrive_for(u64 *b, int bytes) {
  Turns *t = (Turns *)b;
  if (t->left == 0) stop("more arrive for a turn than it waits for");
  t->bytes += bytes, t->left--, t->end();
}
static void arrive(u64 *b) { arrive_for(b, 0); }

// A box on its way. Most land at the next look, one of 16 when everybody has looked some times more:
// those that are asked for later are there before.
enum { LATE = 8 * MOST_THREADS };
struct Flight {
  void (*land)(const Flight &);
  char *to;
  stand_in_map map; // the thread that asks may have ended, and its arguments with it
  u64 *barrier;
  int at[6];
  unsigned long lands; // at this look
};
static std::deque<Flight> flights;
static unsigned long looks;
static unsigned lot;
static void fly(Flight f) {
  lot = lot * 1664525u + 1013904223u; // Press et al., Numerical Recipes, 7.1
  f.lands = looks + (lot >> 28 ? 1 : LATE);
  flights.push_back(f);
}
static void land_some() {
  looks++;
  for (size_t i = flights.size(); i-- > 0;) {
    if (flights[i].lands > looks) continue;
    flights[i].land(flights[i]);
    flights.erase(flights.begin() + (long)i);
  }
}
static void land_store(const Flight &f) {
  memcpy(f.to, f.at, 16);
  Turns *t = (Turns *)f.barrier;
  t->bytes -= 16, t->end();
}
static void store_there(float4 *to, u64 *barrier, int block, float4 v) {
  Flight f = {land_store, (char *)in_block(to, block), {}, in_block(barrier, block)};
  memcpy(f.at, &v, sizeof v);
  fly(f);
}
static void wait_for_turn(u64 *b, unsigned parity) {
  for (land_some(); ((volatile Turns *)b)->parity == parity; land_some()) pause_fibre();
}
static void wait_for_stores(u64 *b, unsigned parity) { wait_for_turn(b, parity); }
static void *swizzled(const char *at) { return (char *)((u64)at ^ ((u64)at >> 7 & 7) << 4); }
// A row of a box: 128 bytes, of whose elements the first `count` are `from`'s, none where it is outside.
static void put_row(char *to, const void *from, long count, int element) {
  unsigned row[32] = {};
  long most = 128 / element;
  if (from && count > 0) memcpy(row, from, element * (count < most ? count : most));
  for (int i = 0; element == 4 && i < 32; i++) row[i] = to_tf32(row[i]);
  for (int chunk = 0; chunk < 8; chunk++) memcpy(swizzled(to + 16 * chunk), row + 4 * chunk, 16);
}
static void copied(u64 *b, int rows) {
  Turns *t = (Turns *)b;
  t->bytes -= 128 * rows, t->end();
}
static void land_box(const Flight &f) {
  const stand_in_map &m = f.map;
  int x = f.at[0], y = f.at[1], z = f.at[2], w = f.at[3];
  int rows = (int)m.box[1], all = rows * (int)m.box[2];
  for (int i = 0; i < all; i++) {
    int on = y + i % rows, at = z + i / rows;
    bool inside = (unsigned)on < m.sizes[1] && (unsigned)at < m.sizes[2];
    const char *row = (const char *)m.address + on * (long)m.strides[0] + at * (long)m.strides[1];
    inside = inside && (w == 0 || (unsigned)w < m.sizes[3]);
    row += w * m.strides[2];
    put_row(f.to + 128 * i, inside ? row + m.element * x : nullptr, (long)m.sizes[0] - x, m.element);
  }
  copied(f.barrier, all);
}
template <class M>
static void copy_box(char *to, const M &map, u64 *barrier, int x, int y, int z, int w = 0) {
  fly({land_box, to, *(const stand_in_map *)&map, barrier, {x, y, z, w}});
}
template <class M> static void expect_box(const M &, int, int, int, int = 0) {}
template <class M> static void expect_map(const M &) {}
static void land_pixels(const Flight &f) {
  const stand_in_map &m = f.map;
  int channel = f.at[0], x = f.at[1], y = f.at[2], image = f.at[3], right = f.at[4], down = f.at[5];
  int width = m.sizes[1], height = m.sizes[2];
  for (unsigned i = 0; i < m.pixels; i++) {
    int at = x + right, on = y + down;
    bool inside = at >= 0 && at < width && on >= 0 && on < height && (unsigned)image < m.sizes[3];
    const char *pixel = (const char *)m.address + at * m.strides[0] + on * m.strides[1];
    pixel += image * m.strides[2] + m.element * channel;
    put_row(f.to + 128 * i, inside ? pixel : nullptr, (long)m.sizes[0] - channel, m.element);
    if ((x += m.steps[1]) > width - 1 + m.high[0]) x = m.low[0], y += m.steps[2];
    if (y > height - 1 + m.high[1]) y = m.low[1], image++;
  }
  copied(f.barrier, m.pixels);
}
template <class M>
static void copy_pixels(char *to, const M &map, u64 *barrier, int channel, int x, int y, int image,
                        int right, int down) {
  fly({land_pixels, to, *(const stand_in_map *)&map, barrier, {channel, x, y, image, right, down}});
}
static u64 operand(const char *box, bool) { return (u64)box; }
static u64 operand_at(u64 first, int bytes) { return first + bytes; }
// Steps, in units of 16 bytes, stand above the address.
static u64 operand_of_eighths(const char *first, int by_depth, int by_rows) {
  if (by_depth % 16 || by_rows % 16 || by_depth > 4080 || by_rows > 4080)
    stop("a step of another size");
  return (u64)first | (u64)(by_depth / 16) << 48 | (u64)(by_rows / 16) << 56;
}
template <int count> static void give_registers() {}
template <int count> static void take_registers() {}
static void begin_products() {}
static void end_products() {}
template <int left> static void wait_for_products() {}
template <int count, class T> static void settle(T *) {}
// What is multiplied as TF32 is cut to it.
static float boxed_value(int kind, u64 at) {
  if (kind == 2) return __uint_as_float(*(const unsigned *)swizzled((const char *)at) & ~0x1fffu);
  unsigned short bits = *(const unsigned short *)swizzled((const char *)at);
  return kind == 1 ? __uint_as_float((unsigned)bits << 16) : half_value(bits);
}
static float left_value(int kind, u64 left, int row, int at) {
  int by_depth = left >> 48 & 255, by_rows = left >> 56;
  if (!by_depth) return boxed_value(kind, left + 128 * row + at);
  int chunk = row / 8 * by_rows + row % 8 + at / 16 * by_depth;
  unsigned short bits = *(const unsigned short *)((left & 0xffffffffffff) + 16 * chunk + at % 16);
  return kind == 1 ? __uint_as_float((unsigned)bits << 16) : half_value(bits);
}
template <int columns, int kind, bool right_by_depth>
static void multiply_boxes(float *s, u64 left, u64 right, bool more) {
  const int element = kind == 2 ? 4 : 2;
  int lane = threadIdx.x % 32, first = threadIdx.x % 128 / 32 * 16 + lane / 4;
  for (int i = 0; i < columns / 2; i++) {
    int row = first + i / 2 % 2 * 8, n = i / 4 * 8 + lane % 4 * 2 + i % 2;
    if (!more) s[i] = 0;
    for (int k = 0; k < 32 / element; k++)
      s[i] += left_value(kind, left, row, element * k) *
              boxed_value(kind, right_by_depth ? right + 128 * n + element * k
                                               : right + n / 64 * 8192 + 128 * k + n % 64 * 2);
  }
}
template <int count, int kind, bool right_by_depth>
static void multiply_turned(float *s, u64 rows, u64 columns) {
  const int element = kind == 2 ? 4 : 2;
  int lane = threadIdx.x % 32, first = threadIdx.x % 128 / 32 * 16 + lane / 4;
  for (int i = 0; i < count / 2; i++) {
    int row = i / 4 * 8 + lane % 4 * 2 + i % 2, n = first + i / 2 % 2 * 8;
    for (int k = 0; k < 32 / element; k++)
      s[i] += boxed_value(kind, rows + 128 * row + element * k) *
              boxed_value(kind, right_by_depth ? columns + 128 * n + element * k
                                               : columns + 128 * k + n * 2);
  }
}
template <int columns, int kind>
static void multiply_rows(float *s, const unsigned *left, u64 right, bool more) {
  const Shown *warp = show({{left[0], left[1], left[2], left[3]}});
  int lane = threadIdx.x % 32;
  for (int i = 0; i < columns / 2; i++) {
    int row = lane / 4 + i / 2 % 2 * 8, n = i / 4 * 8 + lane % 4 * 2 + i % 2;
    if (!more) s[i] = 0;
    for (int k = 0; k < 16; k++)
      s[i] += operand(kind, warp, 0, 2, row, k) * boxed_value(kind, right + 128 * k + n * 2);
  }
  __syncwarp();
}
template <int kind> static unsigned pair_of(float low, float high) {
  auto bits = [](float v) -> unsigned {
    unsigned word = __float_as_uint(v);
    return kind == 0 ? half_bits(v) : (word + 0x7fff + (word >> 16 & 1)) >> 16;
  };
  return bits(low) | bits(high) << 16;
}

#include HONE_KERNEL_TEXT

#ifdef ALONE_90
typedef BoxArgs Given;
#else
typedef Args Given;
#endif
#ifndef CLUSTER
#define CLUSTER 1
#endif
static Given the_args;
static void fibre() {
  unsigned block = member, self = threadIdx.x;
  kernel(the_args);
  over[block][self] = true;
  barriers[block].block.leave(), barriers[block].warps[self / 32].leave();
  cluster_barrier.leave();
  swapcontext(&fibres[block][self], &scheduler);
}

enum { STACK = 32768 };
static void make_fibre(unsigned block, unsigned t, char *stacks) {
  ucontext_t *f = &fibres[block][t];
  getcontext(f);
  f->uc_stack.ss_sp = stacks + (size_t)(block * blockDim.x + t) * STACK;
  f->uc_stack.ss_size = STACK;
  f->uc_link = nullptr;
  over[block][t] = false;
  makecontext(f, fibre, 0);
}

static bool resume(unsigned block, unsigned t) {
  be(block, t);
  swapcontext(&scheduler, &fibres[block][t]);
  return !over[block][t];
}

static void open_barriers(unsigned threads) {
  for (unsigned b = 0; b < members; b++) {
    barriers[b] = {};
    barriers[b].block.members = threads;
    for (unsigned w = 0; w < threads / 32; w++) barriers[b].warps[w].members = 32;
  }
  cluster_barrier = {members * threads, 0, 0};
  met = false;
}

// A block whose first thread meets no barrier has none, and its other threads need no fibres.
static void run_cluster(unsigned threads, char *stacks) {
  open_barriers(threads);
  make_fibre(0, 0, stacks);
  resume(0, 0);
  for (unsigned t = 1; t < threads && !met; t++) {
    be(0, t);
    kernel(the_args);
  }
  if (!met) return;
  unsigned running = !over[0][0];
  for (unsigned t = 1; t < members * threads; t++) {
    make_fibre(t / threads, t % threads, stacks);
    running += resume(t / threads, t % threads);
  }
  while (running) {
    running = 0;
    for (unsigned t = 0; t < members * threads; t++)
      if (!over[t / threads][t % threads]) running += resume(t / threads, t % threads);
  }
  if (!flights.empty()) stop("a block ended with boxes on their way");
}

extern "C" __attribute__((visibility("default")))
void hone_stand_in_run(const void *args, unsigned x, unsigned y, unsigned z, unsigned threads) {
  members = CLUSTER;
  char *stacks = (char *)malloc((size_t)members * threads * STACK);
  the_args = *(const Given *)args;
  gridDim = {x, y, z};
  blockDim = {threads, 1, 1};
  for (blockIdx.z = 0; blockIdx.z < z; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < y; blockIdx.y++)
      for (first_block = 0; first_block < x; first_block += members) run_cluster(threads, stacks);
  free(stacks);
}
