/*
 * page.h - template.html, made into an array at build time (cmake/Embed.cmake).
 */
#ifndef NAS_REPORT_PAGE_H
#define NAS_REPORT_PAGE_H

#include <stddef.h>

extern const unsigned char nas_report_page[];
extern const size_t nas_report_page_bytes;

#endif
