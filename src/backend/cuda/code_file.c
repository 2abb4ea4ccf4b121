/* Writing and reading section code. Room: backend/cuda. */
#include "backend/cuda/code_file.h"

#include <elf.h>
#include <string.h>
#include <xxhash.h>

#include "backend/cuda/embed.h"
#include "backend/cuda/stage.h"
#include "base/log.h"

#define ALONE 1000

typedef struct head {
  uint64_t count;
  uint64_t library; /* of the kernels' files */
} head;

typedef struct row {
  hone_cuda_code_hash text;
  uint32_t sm, compiler; /* sm: ALONE more where no other compute capability runs it */
  uint64_t cubin_at, cubin_size, ptx_at, ptx_size;
} row;
_Static_assert(sizeof(row) == 56, "a row has no gaps");

static uint64_t add_text(uint64_t sum, const char *text) {
  return text ? XXH3_64bits_withSeed(text, strlen(text), sum) : sum;
}

/* Another library's texts may differ, and so find no code of theirs. */
static uint64_t library_sum(void) {
  size_t count;
  const hone_cuda_kernel *const *rows = hone_cuda_kernels(&count);
  uint64_t sum = add_text(add_text(0, hone_cuda_text_common), hone_cuda_text_tensor);
  sum = add_text(sum, hone_cuda_text_hopper);
  for (size_t i = 0; i < count; i++)
    for (int f = 0; f < HONE_CUDA_FORMS; f++)
      sum = add_text(add_text(sum, rows[i]->forms[f].text), rows[i]->forms[f].choices);
  return sum;
}

static bool is_of_this_library(hone_bytes saved) {
  head h;
  if (saved.size < sizeof h) return true;
  memcpy(&h, saved.data, sizeof h);
  return h.library == library_sum();
}

/* ---- Writing -------------------------------------------------------------------------------- */

static uint64_t place(uint64_t *at, size_t size) {
  uint64_t here = *at;
  *at = hone_align_up(here + size, 16);
  return here;
}

static void pad(hone_text *out, size_t begin) {
  static const char zeros[16];
  size_t size = out->size - begin;
  hone_text_add(out, zeros, hone_align_up(size, 16) - size);
}

hone_status *hone_cuda_code_write(const hone_cuda_code *const *codes, size_t count, hone_text *out) {
  size_t begin = out->size;
  uint64_t at = hone_align_up(sizeof(head) + count * sizeof(row), 16);
  head h = {count, library_sum()};
  hone_text_add(out, (const char *)&h, sizeof h);
  for (size_t i = 0; i < count; i++) {
    const hone_cuda_code *c = codes[i];
    row r = {.text = c->text, .sm = (uint32_t)(c->sm + (c->alone ? ALONE : 0)),
             .compiler = (uint32_t)c->compiler,
             .cubin_size = c->cubin.size, .ptx_size = c->ptx.size};
    r.cubin_at = place(&at, c->cubin.size);
    r.ptx_at = place(&at, c->ptx.size);
    hone_text_add(out, (const char *)&r, sizeof r);
  }
  pad(out, begin);
  for (size_t i = 0; i < count; i++) {
    hone_text_add(out, codes[i]->cubin.data, codes[i]->cubin.size);
    pad(out, begin);
    hone_text_add(out, codes[i]->ptx.data, codes[i]->ptx.size);
    pad(out, begin);
  }
  return hone_text_status(out);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static hone_status *damaged(const char *what) {
  return hone_error(HONE_CORRUPT, "section code is damaged: %s", what);
}

hone_status *hone_cuda_code_count(hone_bytes saved, size_t *out) {
  head h;
  *out = 0;
  if (saved.size == 0) return NULL;
  if (saved.size < sizeof h) return damaged("its head");
  memcpy(&h, saved.data, sizeof h);
  if (h.count > (saved.size - sizeof h) / sizeof(row)) return damaged("its rows");
  *out = (size_t)h.count;
  return NULL;
}

static bool piece(hone_bytes saved, uint64_t at, uint64_t size, hone_bytes *out) {
  if (at % 16 || at > saved.size || size > saved.size - at || size == 0) return false;
  *out = (hone_bytes){(const char *)saved.data + at, size};
  return true;
}

static bool inside(hone_bytes bytes, uint64_t at, uint64_t size) {
  return at <= bytes.size && size <= bytes.size - at;
}

/* The driver is given no size: whatever the tables of an ELF file point at lies within the file. */
static bool is_whole_elf(hone_bytes bytes) {
  Elf64_Ehdr file;
  if (bytes.size < sizeof file) return false;
  memcpy(&file, bytes.data, sizeof file);
  if (memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_ident[EI_CLASS] != ELFCLASS64)
    return false;
  if (file.e_shentsize != sizeof(Elf64_Shdr) ||
      !inside(bytes, file.e_shoff, file.e_shnum * sizeof(Elf64_Shdr)) ||
      !inside(bytes, file.e_phoff, (uint64_t)file.e_phnum * file.e_phentsize))
    return false;
  const char *sections = (const char *)bytes.data + file.e_shoff;
  for (size_t i = 0; i < file.e_shnum; i++) {
    Elf64_Shdr section;
    memcpy(&section, sections + i * sizeof section, sizeof section);
    if (section.sh_type != SHT_NOBITS && !inside(bytes, section.sh_offset, section.sh_size))
      return false;
  }
  return true;
}

hone_status *hone_cuda_code_read(hone_bytes saved, size_t index, hone_cuda_code *out) {
  row r;
  memcpy(&r, (const char *)saved.data + sizeof(head) + index * sizeof r, sizeof r);
  *out = (hone_cuda_code){.text = r.text, .sm = (int)(r.sm % ALONE), .alone = r.sm >= ALONE,
                          .compiler = (int)r.compiler};
  if (r.sm % ALONE < 10 || r.sm >= 2 * ALONE || r.compiler < 1000 || r.compiler > 999999)
    return damaged("a row");
  if (!piece(saved, r.cubin_at, r.cubin_size, &out->cubin) ||
      !piece(saved, r.ptx_at, r.ptx_size, &out->ptx))
    return damaged("a kernel's place");
  if (!is_whole_elf(out->cubin)) return damaged("a kernel's machine code");
  if (((const char *)out->ptx.data)[out->ptx.size - 1] != 0) return damaged("a kernel's PTX");
  return NULL;
}

/* ---- What runs it --------------------------------------------------------------------------- */

/* A cubin wants a driver of its compiler's major version; PTX one that is no older than the compiler. */
hone_cuda_code_way hone_cuda_code_way_of(const hone_gpu *gpu, const hone_cuda_code *code) {
  bool loads = code->compiler / 1000 <= gpu->driver->version / 1000;
  bool runs = code->alone ? code->sm == gpu->sm : code->sm <= gpu->sm;
  if (loads && runs && code->sm / 10 == gpu->sm / 10) return HONE_CODE_AS_IT_IS;
  return code->compiler <= gpu->driver->version && runs ? HONE_CODE_PTX : HONE_CODE_MAKE;
}

hone_status *hone_cuda_code_needs_of(hone_bytes saved, hone_code_needs *out) {
  *out = (hone_code_needs){0};
  HONE_TRY(hone_cuda_code_count(saved, &out->kernels));
  for (size_t i = 0; i < out->kernels; i++) {
    hone_cuda_code code;
    HONE_TRY(hone_cuda_code_read(saved, i, &code));
    int driver = code.compiler / 1000 * 1000;
    if (code.sm > out->architecture) out->architecture = code.sm;
    if (driver > out->driver) out->driver = driver;
  }
  return NULL;
}

static hone_status *ways_of(const hone_gpu *gpu, hone_bytes saved, size_t ways[3]) {
  size_t count;
  HONE_TRY(hone_cuda_code_count(saved, &count));
  for (size_t i = 0; i < count; i++) {
    hone_cuda_code code;
    HONE_TRY(hone_cuda_code_read(saved, i, &code));
    if (!code.alone || code.sm == gpu->sm) ways[hone_cuda_code_way_of(gpu, &code)]++;
  }
  return NULL;
}

hone_status *hone_cuda_code_fits(hone_bytes saved) {
  hone_gpu *gpu;
  size_t ways[3] = {0};
  HONE_TRY(hone_gpu_get(&gpu));
  HONE_TRY(ways_of(gpu, saved, ways));
  return ways[HONE_CODE_MAKE] || !is_of_this_library(saved) ? hone_cuda_code_can_make() : NULL;
}

hone_status *hone_cuda_code_tell(const hone_gpu *gpu, hone_bytes saved, bool *make) {
  size_t ways[3] = {0};
  hone_code_needs needs;
  HONE_TRY(ways_of(gpu, saved, ways));
  HONE_TRY(hone_cuda_code_needs_of(saved, &needs));
  *make = ways[HONE_CODE_MAKE] > 0 || !is_of_this_library(saved);
  if (!is_of_this_library(saved))
    hone_log(HONE_LOG_WARNING,
             "the engine's kernels are those of another version: they are compiled again");
  else if (ways[HONE_CODE_PTX] || ways[HONE_CODE_MAKE])
    hone_log(HONE_LOG_WARNING,
             "the engine's kernels are of compute capability %d.%d and CUDA %d.%d, the GPU of %d.%d "
             "and its driver of CUDA %d.%d: %zu are compiled from their PTX, %zu from the library's "
             "sources",
             needs.architecture / 10, needs.architecture % 10, needs.driver / 1000,
             needs.driver % 1000 / 10, gpu->sm / 10, gpu->sm % 10, gpu->driver->version / 1000,
             gpu->driver->version % 1000 / 10, ways[HONE_CODE_PTX], ways[HONE_CODE_MAKE]);
  return NULL;
}
