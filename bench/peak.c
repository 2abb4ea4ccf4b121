/* The processor's peak: multiply-adds a second of threads whose operands never leave registers.
 *
 *   peak f32|bf16|s8 [THREADS [SECONDS]]
 *
 * prints {"type": …, "set": …, "macs": …}. The widest instructions that the processor has for the
 * type are used; a type that it has none for is measured in f32. What any kernel reaches is a share
 * of this. */
#include <immintrin.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHAINS = 14, TURNS = 4096, MOST_THREADS = 256 };

/* Fourteen chains that do not wait for each other, enough for two units of latency 4 to 5. */
#define CHAINED(VECTOR, ZERO, STEP)                                          \
  VECTOR sum[CHAINS], a = ZERO, b = ZERO;                                    \
  for (int i = 0; i < CHAINS; i++) sum[i] = ZERO;                            \
  for (int turn = 0; turn < TURNS; turn++) {                                 \
    __asm__ volatile("" : "+v"(a), "+v"(b));                                 \
    _Pragma("GCC unroll 14") for (int i = 0; i < CHAINS; i++) sum[i] = STEP; \
  }                                                                          \
  for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "v"(sum[i]))

__attribute__((target("avx512f"))) static void f32_avx512(void) {
  CHAINED(__m512, _mm512_setzero_ps(), _mm512_fmadd_ps(a, b, sum[i]));
}

__attribute__((target("avx2,fma"))) static void f32_avx2(void) {
  CHAINED(__m256, _mm256_setzero_ps(), _mm256_fmadd_ps(a, b, sum[i]));
}

__attribute__((target("avx512f,avx512bf16"))) static void bf16_avx512(void) {
  CHAINED(__m512, _mm512_setzero_ps(), _mm512_dpbf16_ps(sum[i], (__m512bh)a, (__m512bh)b));
}

__attribute__((target("avx512f,avx512vnni"))) static void s8_avx512(void) {
  CHAINED(__m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32(sum[i], a, b));
}

__attribute__((target("avx2"))) static void s8_avx2(void) {
  const __m256i one = _mm256_set1_epi16(1);
  CHAINED(__m256i, _mm256_setzero_si256(),
          _mm256_add_epi32(sum[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), one)));
}

typedef struct way {
  const char *type, *set;
  void (*run)(void);
  int macs; /* of one instruction */
} way;

static const way *way_of(const char *type) {
  static const way ways[] = {
      {"f32", "avx512", f32_avx512, 16},
      {"f32", "avx2", f32_avx2, 8},
      {"bf16", "avx512bf16", bf16_avx512, 32},
      {"s8", "avx512vnni", s8_avx512, 64},
      {"s8", "avx2", s8_avx2, 32},
  };
  __builtin_cpu_init();
  const bool has[] = {__builtin_cpu_supports("avx512f"),
                      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
                      __builtin_cpu_supports("avx512bf16"), __builtin_cpu_supports("avx512vnni"),
                      __builtin_cpu_supports("avx2")};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    if (has[i] && strcmp(ways[i].type, type) == 0) return &ways[i];
  return strcmp(type, "f32") == 0 ? NULL : way_of("f32");
}

typedef struct job {
  pthread_t thread;
  const way *way;
  double seconds, macs; /* asked for; a second */
} job;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *measure(void *context) {
  job *j = context;
  double start = now(), end = start, count = 0;
  while (end - start < j->seconds) {
    j->way->run();
    count += (double)j->way->macs * CHAINS * TURNS;
    end = now();
  }
  j->macs = count / (end - start);
  return NULL;
}

int main(int argc, char **argv) {
  static job jobs[MOST_THREADS];
  const way *way = argc > 1 ? way_of(argv[1]) : NULL;
  int threads = argc > 2 ? atoi(argv[2]) : 1;
  double seconds = argc > 3 ? strtod(argv[3], NULL) : 0.1, macs = 0;
  if (!way || threads < 1 || threads > MOST_THREADS) {
    fprintf(stderr, "usage: peak f32|bf16|s8 [THREADS [SECONDS]], on a processor with AVX2\n");
    return 1;
  }
  int started = 0;
  for (; started < threads; started++) {
    jobs[started] = (job){.way = way, .seconds = seconds};
    if (pthread_create(&jobs[started].thread, NULL, measure, &jobs[started])) break;
  }
  for (int i = 0; i < started; i++) {
    pthread_join(jobs[i].thread, NULL);
    macs += jobs[i].macs;
  }
  printf("{\"type\": \"%s\", \"set\": \"%s\", \"macs\": %.4g}\n", way->type, way->set, macs);
  return started < threads;
}
