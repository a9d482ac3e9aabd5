package evidence

import (
	"context"
	"io"
	"sync"
)

// source reads a file under verification and keeps apart what its readers mix:
// that the bytes are wrong, which is a finding, and that they could not be
// read, which leaves nothing to say. The latter is remembered here, however
// deep in a decoder it happened.
type source struct {
	ctx  context.Context
	file *io.SectionReader

	mu      sync.Mutex
	trouble error // the first failure to read, guarded by mu
}

// ReadAt reads as the file does, and ends with the context.
func (s *source) ReadAt(p []byte, offset int64) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, s.note(err)
	}
	n, err := s.file.ReadAt(p, offset)
	switch {
	case err == io.EOF && offset+int64(n) < s.file.Size():
		err = s.note(io.ErrUnexpectedEOF) // it was cut while we read
	case err != nil && err != io.EOF:
		err = s.note(err)
	}
	return n, err
}

func (s *source) note(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == nil {
		s.trouble = err
	}
	return err
}

// failure is the first error of reading, nil if every byte could be read.
func (s *source) failure() error {
	if err := context.Cause(s.ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// section is a part of the file as a reader of its own.
func (s *source) section(offset, size int64) *io.SectionReader {
	return io.NewSectionReader(s, offset, size)
}
