/* Asking the processor and the system. Room: base. */
#include "base/cpu.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

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
  hone_log(HONE_LOG_WARNING, "HONE_CPU names no instruction set; it is ignored");
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

static _Atomic uint32_t pretended;

void hone_cpu_limit(uint32_t mask) {
  atomic_store(&isa_cache, ((processor_isa() | atomic_load(&pretended)) & mask) | FILLED);
}

void hone_cpu_pretend(uint32_t isa) {
  atomic_store(&pretended, isa);
  hone_cpu_limit(~0u);
}

const char *hone_cpu_isa_text(uint32_t isa, char *buffer, size_t room) {
  size_t at = 0;
  snprintf(buffer, room, "plain");
  for (size_t i = 0; i < ISA_ROWS; i++)
    if (isa & isa_rows[i].bit && at < room)
      at += (size_t)snprintf(buffer + at, room - at, "%s%s", at ? " " : "", isa_rows[i].name);
  return buffer;
}

static char processor_name[64] = "unknown processor";

/* The brand string, without the spaces that pad it. */
static void read_name(void) {
#if defined(__x86_64__)
  unsigned words[12];
  for (unsigned i = 0; i < 3; i++)
    if (!__get_cpuid(0x80000002u + i, &words[i * 4], &words[i * 4 + 1], &words[i * 4 + 2],
                     &words[i * 4 + 3]))
      return;
  char text[sizeof words + 1];
  memcpy(text, words, sizeof words);
  text[sizeof words] = 0;
  const char *start = text + strspn(text, " ");
  size_t size = strlen(start);
  while (size && start[size - 1] == ' ') size--;
  if (!size) return;
  memcpy(processor_name, start, size);
  processor_name[size] = 0;
#endif
}

const char *hone_cpu_name(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_name);
  return processor_name;
}

/* Of the last level the C library gives on some processors what all their dies have together; the
 * system says what this one shares. 0 where it does not. */
static size_t shared_cache(void) {
  FILE *file = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "re");
  char unit = 0;
  unsigned size = 0;
  if (!file) return 0;
  bool told = fscanf(file, "%9u%c", &size, &unit) == 2 && (unit == 'K' || unit == 'M');
  fclose(file);
  return told ? (size_t)size << (unit == 'K' ? 10 : 20) : 0;
}

static size_t last_cache;
static void ask_last_cache(void) {
  last_cache = shared_cache();
}

size_t hone_cpu_cache(int level) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, ask_last_cache);
  if (level == 3 && last_cache) return last_cache;
  static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE,
                              _SC_LEVEL3_CACHE_SIZE};
  static const size_t guesses[] = {32u << 10, 1u << 20, 16u << 20};
  if (level < 1 || level > 3) return 0;
  long size = sysconf(names[level - 1]);
  return size > 0 ? (size_t)size : guesses[level - 1];
}

/* Two numbers of a control file; false when it is not there or says "max" or -1. */
static bool read_pair(const char *path, double *a, double *b) {
  FILE *file = fopen(path, "re");
  if (!file) return false;
  int got = fscanf(file, "%lf %lf", a, b);
  fclose(file);
  return got >= 1 && *a > 0;
}

/* The quota of the one group whose control files lie in `folder`, in processors; 0 for none. */
static double group_quota(const char *folder, bool second_version) {
  char path[PATH_MAX + 32];
  double quota = 0, period = 0, unused;
  if (second_version) {
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_pair(path, &quota, &period)) return 0;
  } else {
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_pair(path, &quota, &unused)) return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_pair(path, &period, &unused)) return 0;
  }
  return period > 0 ? quota / period : 0;
}

/* The least quota of `group` and all groups that it lies in. In a container the path may be one of
 * the host's, which is not there: its own group is then the root of what it sees. */
static double least_quota(const char *root, const char *group, bool second_version) {
  char folder[PATH_MAX];
  if (snprintf(folder, sizeof folder, "%s%s", root, group) >= PATH_MAX) return 0;
  double least = 0;
  for (;;) {
    double quota = group_quota(folder, second_version);
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
    char *slash = strrchr(folder, '/');
    if (!slash || strlen(folder) <= strlen(root)) return least;
    *slash = 0;
  }
}

/* Whether a line "number:controllers:path" of /proc/self/cgroup names the group that limits
 * processors. Cuts the line; `path` gets its last part. */
static bool cpu_group(char *line, bool *second_version, char **path) {
  char *controllers = strchr(line, ':'), *last = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!last) return false;
  *last = 0;
  *path = last + 1;
  (*path)[strcspn(*path, "\n")] = 0;
  *second_version = !controllers[1];
  if (*second_version) return true;
  for (char *next, *name = strtok_r(controllers + 1, ",", &next); name;
       name = strtok_r(NULL, ",", &next))
    if (strcmp(name, "cpu") == 0) return true;
  return false;
}

/* The control groups' quota in processors, rounded up; 0 for none. */
static int cgroup_quota(void) {
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (!file) return 0;
  char line[PATH_MAX], *path;
  double least = 0;
  while (fgets(line, sizeof line, file)) {
    bool second_version;
    if (!cpu_group(line, &second_version, &path)) continue;
    const char *root = second_version ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    double quota = least_quota(root, path, second_version);
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
  }
  fclose(file);
  return least > 1 << 20 ? 0 : (int)least + (least > (int)least);
}

/* The affinity mask may be larger than a cpu_set_t: the system then refuses it, and all count. */
int hone_cpu_count(void) {
  cpu_set_t set;
  long all = sysconf(_SC_NPROCESSORS_ONLN);
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)all;
  int quota = cgroup_quota();
  if (quota && quota < count) count = quota;
  return count < 1 ? 1 : count;
}
