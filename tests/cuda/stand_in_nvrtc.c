/* A stand-in for NVRTC: "machine code" is a library that the host's C++ compiler made of the
 * kernel's text, with the GPU's number in its ELF header's flags; PTX is a line with that number and
 * the library's path. Compiled libraries are kept in HONE_STAND_IN_FOLDER by the hash of their text
 * and of the headers before it, so that builds with sanitizers take those of the one without. They
 * trap at an access that does not lie as its type must, which a GPU refuses as well. */
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define SHOWN __attribute__((visibility("default")))

typedef struct program {
  char *source;
  char library[600];
  char ptx[700];
  int sm;
  char log[64];
} program;

SHOWN int nvrtcVersion(int *major, int *minor);
SHOWN const char *nvrtcGetErrorString(int result);
SHOWN int nvrtcCreateProgram(program **out, const char *source, const char *name, int headers,
                             const char *const *texts, const char *const *names);
SHOWN int nvrtcCompileProgram(program *p, int count, const char *const *options);
SHOWN int nvrtcGetProgramLogSize(program *p, size_t *size);
SHOWN int nvrtcGetProgramLog(program *p, char *text);
SHOWN int nvrtcGetCUBINSize(program *p, size_t *size);
SHOWN int nvrtcGetCUBIN(program *p, char *bytes);
SHOWN int nvrtcGetPTXSize(program *p, size_t *size);
SHOWN int nvrtcGetPTX(program *p, char *text);
SHOWN int nvrtcDestroyProgram(program **p);

int nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return 0;
}

const char *nvrtcGetErrorString(int result) {
  return result ? "stand-in error" : "no error";
}

int nvrtcCreateProgram(program **out, const char *source, const char *name, int headers,
                       const char *const *texts, const char *const *names) {
  (void)name, (void)texts, (void)names;
  if (headers) return 3;
  *out = calloc(1, sizeof **out);
  (*out)->source = strdup(source);
  return 0;
}

/* Of what stands before every text. */
static XXH64_hash_t hash_headers(void) {
  static const char *const names[] = {"on_host.h", "stand_in_map.h"};
  char text[4096];
  XXH64_hash_t hash = 0;
  for (int i = 0; i < 2; i++) {
    snprintf(text, sizeof text, "%s/%s", getenv("HONE_STAND_IN_SOURCE"), names[i]);
    FILE *file = fopen(text, "r");
    size_t size;
    while (file && (size = fread(text, 1, sizeof text, file)) > 0)
      hash = XXH3_64bits_withSeed(text, size, hash);
    if (file) fclose(file);
  }
  return hash;
}

/* By a name of this process's, then by renaming: several tests may compile the same text at once.
 */
static int compile(const program *p, const char *library) {
  char text[700], made[700], command[4096];
  snprintf(text, sizeof text, "%s.%d.cu", library, (int)getpid());
  snprintf(made, sizeof made, "%s.%d", library, (int)getpid());
  FILE *file = fopen(text, "w");
  if (!file) return 6;
  fputs(p->source, file);
  fclose(file);
  snprintf(command, sizeof command,
           "%s -x c++ -std=c++17 -O1 -w -Wno-psabi -fPIC -shared -fvisibility=hidden -ffp-contract=off "
           "-fsanitize=alignment -fsanitize-undefined-trap-on-error "
           "-DHONE_KERNEL_TEXT='\"%s\"' %s/on_host.h -o %s && mv %s %s",
           getenv("HONE_STAND_IN_CXX"), text, getenv("HONE_STAND_IN_SOURCE"), made, made, library);
  int result = system(command);
  if (result == 0) unlink(text);
  return result ? 6 : 0;
}

int nvrtcCompileProgram(program *p, int count, const char *const *options) {
  static const char target[] = "--gpu-architecture=sm_";
  if (count < 1 || strncmp(options[0], target, sizeof target - 1) != 0) return 5;
  p->sm = atoi(options[0] + sizeof target - 1);
  const char *folder = getenv("HONE_STAND_IN_FOLDER");
  mkdir(folder, 0777);
  snprintf(p->library, sizeof p->library, "%s/%016llx.so", folder,
           (unsigned long long)XXH3_64bits_withSeed(p->source, strlen(p->source), hash_headers()));
  snprintf(p->ptx, sizeof p->ptx, "sm_%d %s", p->sm, p->library);
  snprintf(p->log, sizeof p->log, "the host's compiler said no");
  return access(p->library, R_OK) == 0 ? 0 : compile(p, p->library);
}

int nvrtcGetProgramLogSize(program *p, size_t *size) {
  *size = sizeof p->log;
  return 0;
}
int nvrtcGetProgramLog(program *p, char *text) {
  memcpy(text, p->log, sizeof p->log);
  return 0;
}
int nvrtcGetCUBINSize(program *p, size_t *size) {
  struct stat file;
  if (stat(p->library, &file) != 0) return 6;
  *size = (size_t)file.st_size;
  return 0;
}
int nvrtcGetCUBIN(program *p, char *bytes) {
  size_t size;
  FILE *file = fopen(p->library, "rb");
  if (!file || nvrtcGetCUBINSize(p, &size)) return 6;
  bool whole = fread(bytes, 1, size, file) == size;
  Elf64_Word number = (Elf64_Word)p->sm;
  memcpy(bytes + offsetof(Elf64_Ehdr, e_flags), &number, sizeof number);
  fclose(file);
  return whole ? 0 : 6;
}
int nvrtcGetPTXSize(program *p, size_t *size) {
  *size = strlen(p->ptx) + 1;
  return 0;
}
int nvrtcGetPTX(program *p, char *text) {
  strcpy(text, p->ptx);
  return 0;
}
int nvrtcDestroyProgram(program **p) {
  free((*p)->source);
  free(*p);
  *p = NULL;
  return 0;
}
