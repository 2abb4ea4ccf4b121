/* Asking the processor and the system. Room: base. */
#include "base/cpu.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct isa_row {
  const char *name;
  uint32_t bit;
} isa_rows[] = {{"avx2", HONE_ISA_AVX2},
                {"avx512", HONE_ISA_AVX512},
                {"vnni", HONE_ISA_VNNI},
                {"bf16", HONE_ISA_BF16},
                {"amx", HONE_ISA_AMX}};
#define ISA_ROWS (sizeof isa_rows / sizeof *isa_rows)

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>

static uint64_t xcr0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/* Linux lends the tile registers on request (arch_prctl ARCH_REQ_XCOMP_PERM, component 18). */
static bool amx_allowed(void) { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

/* Bits as in Intel's Software Developer's Manual, volume 2, CPUID. */
static uint32_t processor_isa(void) {
  unsigned a, b, c, d, ext_a, ext_b, ext_c, ext_d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  bool fma = c >> 12 & 1, osxsave = c >> 27 & 1, f16c = c >> 29 & 1;
  if (!osxsave || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  uint64_t state = xcr0();
  uint32_t isa = 0;
  if ((state & 6) == 6 && (b >> 5 & 1) && fma && f16c) isa |= HONE_ISA_AVX2;
  unsigned wanted = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
  if (!(isa & HONE_ISA_AVX2) || (state & 0xe6) != 0xe6 || (b & wanted) != wanted) return isa;
  isa |= HONE_ISA_AVX512;
  if (c >> 11 & 1) isa |= HONE_ISA_VNNI;
  bool tiles = (d >> 22 & 1) && (d >> 24 & 1) && (d >> 25 & 1);
  if (__get_cpuid_count(7, 1, &ext_a, &ext_b, &ext_c, &ext_d) && (ext_a >> 5 & 1))
    isa |= HONE_ISA_BF16;
  if (tiles && (state & 0x60000) == 0x60000 && amx_allowed()) isa |= HONE_ISA_AMX;
  return isa;
}
#else
static uint32_t processor_isa(void) { return 0; }
#endif

/* The bits that HONE_CPU allows: the named set and all before it. */
static uint32_t allowed_isa(void) {
  const char *text = getenv("HONE_CPU");
  if (!text || !*text) return UINT32_MAX;
  if (strcmp(text, "plain") == 0) return 0;
  uint32_t mask = 0;
  for (size_t i = 0; i < ISA_ROWS; i++) {
    mask |= isa_rows[i].bit;
    if (strcmp(text, isa_rows[i].name) == 0) return mask;
  }
  return UINT32_MAX;
}

static _Atomic uint32_t isa_cache; /* bit 31: filled */
#define FILLED (1u << 31)

uint32_t hone_cpu_isa(void) {
  uint32_t isa = atomic_load_explicit(&isa_cache, memory_order_relaxed);
  if (isa) return isa & ~FILLED;
  isa = processor_isa() & allowed_isa();
  atomic_store_explicit(&isa_cache, isa | FILLED, memory_order_relaxed);
  return isa;
}

void hone_cpu_limit(uint32_t mask) {
  atomic_store(&isa_cache, (processor_isa() & mask) | FILLED);
}

const char *hone_cpu_isa_text(uint32_t isa, char *buffer, size_t room) {
  size_t at = 0;
  snprintf(buffer, room, "plain");
  for (size_t i = 0; i < ISA_ROWS; i++)
    if (isa & isa_rows[i].bit && at < room)
      at += (size_t)snprintf(buffer + at, room - at, "%s%s", at ? " " : "", isa_rows[i].name);
  return buffer;
}

const char *hone_cpu_name(void) {
  static char name[64] = "unknown processor";
#if defined(__x86_64__)
  unsigned words[12];
  for (unsigned i = 0; i < 3; i++)
    if (!__get_cpuid(0x80000002u + i, &words[i * 4], &words[i * 4 + 1], &words[i * 4 + 2],
                     &words[i * 4 + 3]))
      return name;
  char text[sizeof words + 1];
  memcpy(text, words, sizeof words);
  text[sizeof words] = 0;
  size_t end = strlen(text);
  while (end && text[end - 1] == ' ') text[--end] = 0;
  memcpy(name, text, end + 1);
#endif
  return name;
}

size_t hone_cpu_cache(int level) {
  static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE,
                              _SC_LEVEL3_CACHE_SIZE};
  static const size_t guesses[] = {32u << 10, 1u << 20, 16u << 20};
  if (level < 1 || level > 3) return 0;
  long size = sysconf(names[level - 1]);
  return size > 0 ? (size_t)size : guesses[level - 1];
}

/* Two numbers of a control file; false when it is not there or says "max". */
static bool read_pair(const char *path, double *a, double *b) {
  FILE *file = fopen(path, "re");
  if (!file) return false;
  int got = fscanf(file, "%lf %lf", a, b);
  fclose(file);
  return got >= 1 && *a > 0;
}

/* The cgroup's quota in processors, rounded up; 0 for none. Version 2, then version 1. */
static int cgroup_quota(void) {
  double quota = 0, period = 0;
  if (!read_pair("/sys/fs/cgroup/cpu.max", &quota, &period)) {
    double unused;
    if (!read_pair("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, &unused) ||
        !read_pair("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, &unused))
      return 0;
  }
  if (quota <= 0 || period <= 0) return 0;
  double count = quota / period;
  return count > 1 << 20 ? 0 : (int)count + (count > (int)count);
}

int hone_cpu_count(void) {
  cpu_set_t set;
  int count = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
  int quota = cgroup_quota();
  if (quota && quota < count) count = quota;
  return count < 1 ? 1 : count;
}
