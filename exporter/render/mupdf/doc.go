// Package mupdf reads the pages of PDF files with MuPDF, a big parser in C, in
// a process apart. What a file does to MuPDF it does to that process alone.
//
// # The process
//
// It is this program again. The package's init, before anything of the program
// has run, turns a process that was started for it into a reader of one file,
// and ends it; so it does not matter which program this is, a test for one, and
// no process that was started for a file can go on to start others. It gets the
// file and gives answers over pipes, in memory.
//
// Before it sees the first byte of a file it gives up, where the system is Linux
// on amd64 or arm64, for good:
//
//   - all system calls but those for memory, threads and the pipes that it has:
//     it opens no file and no socket, starts no program, sends no signals to
//     others, and gets no memory that can be executed;
//   - memory and processor time beyond what a file of that size needs, see
//     limitsFor; files that grow; core dumps.
//
// Where the kernel refuses one of these, nothing is read. On other systems it
// is a process like any other.
//
// The caller ends it everywhere when an answer takes too long, when its context
// ends, and when it is done with the file.
//
// # Refusals
//
// That MuPDF fails, for whatever reason, says nothing about what the pages
// show: all such errors are [ErrUnread]. What is no PDF by its first bytes is
// not given to MuPDF, which reads other formats too.
//
// Without cgo the package is empty.
package mupdf

import "errors"

// ErrUnread is in every error of reading a file, other than the caller's own.
var ErrUnread = errors.New("MuPDF could not read the pages")
