/*
 * domain_files.h - small domains as files, for tests of the formats and of
 * everything that reads a data folder. Paths are in the test's own folder
 * (sy_check_folder). Failures end the test.
 */
#ifndef SY_TESTS_DOMAIN_FILES_H
#define SY_TESTS_DOMAIN_FILES_H

#include <stddef.h>
#include <stdint.h>

/* The bytes of a small linear generator, the same as in make_corpus.py. */
void sy_noise(uint8_t *out, size_t count, uint32_t seed);

/* Writes FOLDER/path, making its parent folders. */
void sy_put(const char *path, const void *data, size_t bytes);
void sy_put_text(const char *path, const char *text);
/* As above, gzip'd. */
void sy_put_gzip(const char *path, const void *data, size_t bytes);

/* Reads FOLDER/path, or a file of the repository; free with sy_free. */
uint8_t *sy_get(const char *path, size_t *bytes);
uint8_t *sy_get_source(const char *path, size_t *bytes);

/*
 * An IDX file in an owned block: `rank` sizes and the values. Values NULL:
 * noise.
 */
uint8_t *sy_make_idx(int rank, const uint32_t *sizes, const uint8_t *values,
                     size_t *bytes);

/* A domain to write; zeroed fields take the values in brackets. */
struct sy_domain_files {
    const char *name;  /* [toy] */
    int train, test;   /* images [30, 10] */
    int classes;       /* [3]; labels go round: 0 1 2 0 1 2 ... */
    int height, width; /* [4, 5] */
    int channels;      /* [1]; 1 makes idx3, 3 makes idx4 */
};

/* Writes it as four plain IDX files without labels.txt. */
void sy_put_domain(const struct sy_domain_files *files);

/* Writes FOLDER/path as a PNG of noise. */
void sy_put_png(const char *path, int height, int width, int channels,
                uint32_t seed);

/*
 * The folder of real data, or NULL after a line that says so: the test then
 * returns, and nobody takes it for a pass of more than it is.
 */
const char *sy_real_data(void);

/* A command line for the shell ("%s" is the folder), which must succeed. */
void sy_shell(const char *format, const char *a, const char *b);

#endif
