/*
 * web.h - the page's files, made into arrays at build time (cmake/Embed.cmake).
 */
#ifndef SRV_WEB_WEB_H
#define SRV_WEB_WEB_H

#include <stddef.h>

extern const unsigned char srv_web_index[];
extern const size_t srv_web_index_bytes;

#endif
