/*
 * schema.h - the tables of a study, for who writes and who reads them.
 */
#ifndef NAS_STUDY_SCHEMA_H
#define NAS_STUDY_SCHEMA_H

/* "SwYd": tells our files from other SQLite files. */
#define NAS_STUDY_APPLICATION "1400330596"
#define NAS_STUDY_VERSION     "1"

#define NAS_STUDY_SCHEMA                                                       \
    "CREATE TABLE runs(id INTEGER PRIMARY KEY, label TEXT NOT NULL,"           \
    " identity TEXT NOT NULL, config TEXT, seed INTEGER NOT NULL,"             \
    " steps INTEGER NOT NULL, program TEXT NOT NULL, begun TEXT NOT NULL,"     \
    " UNIQUE(label, identity));"                                               \
    "CREATE TABLE domains(run INTEGER NOT NULL REFERENCES runs(id)"            \
    " ON DELETE CASCADE, domain INTEGER NOT NULL, name TEXT NOT NULL,"         \
    " target REAL, PRIMARY KEY(run, domain)) WITHOUT ROWID;"                   \
    "CREATE TABLE steps(run INTEGER NOT NULL REFERENCES runs(id)"              \
    " ON DELETE CASCADE, step INTEGER NOT NULL, domain INTEGER NOT NULL,"      \
    " loss REAL, accuracy REAL, weight REAL, reward REAL, baseline REAL,"      \
    " entropy REAL, cost REAL, PRIMARY KEY(run, step, domain))"                \
    " WITHOUT ROWID;"                                                          \
    "CREATE TABLE samples(run INTEGER NOT NULL REFERENCES runs(id)"            \
    " ON DELETE CASCADE, step INTEGER NOT NULL, domain INTEGER NOT NULL,"      \
    " sample INTEGER NOT NULL, path TEXT NOT NULL, accuracy REAL, cost REAL,"  \
    " reward REAL, PRIMARY KEY(run, step, domain, sample)) WITHOUT ROWID;"     \
    "CREATE TABLE evaluations(id INTEGER PRIMARY KEY, run INTEGER NOT NULL"    \
    " REFERENCES runs(id) ON DELETE CASCADE, step INTEGER NOT NULL,"           \
    " domain INTEGER NOT NULL, kind TEXT NOT NULL, path TEXT, top1 REAL,"      \
    " nll REAL, madds REAL, params REAL);"                                     \
    "CREATE INDEX evaluations_of_run ON evaluations(run, step);"               \
    "PRAGMA application_id=" NAS_STUDY_APPLICATION ";"                         \
    "PRAGMA user_version=" NAS_STUDY_VERSION ";"

#endif
