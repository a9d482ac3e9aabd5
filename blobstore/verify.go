package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// CorruptError reports a blob whose bytes are not those that its name says.
type CorruptError struct {
	Ref Ref   // the name, which is the digest that the bytes should have
	Got Ref   // the digest that they have; zero if Err is set
	Err error // why the bytes could not be read, if the device said so
}

func (e *CorruptError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("blob %s is unreadable: %v", e.Ref, e.Err)
	}
	return fmt.Sprintf("blob %s is corrupt: its content has the digest %s", e.Ref, e.Got)
}

// Unwrap gives the device's error, if there is one.
func (e *CorruptError) Unwrap() error { return e.Err }

// Verify hashes a blob whatever is remembered of it. A blob that fails is hashed
// again, and refused, by the next Open. Errors: *[CorruptError], fs.ErrNotExist.
func (s *Store) Verify(ctx context.Context, ref Ref) error {
	file, _, err := s.openFile(ref)
	if err == nil {
		defer file.Close()
		err = s.verify(ctx, ref, file, nil)
	}
	if err != nil {
		return fmt.Errorf("verify blob %s: %w", ref, err)
	}
	return nil
}

// verifyOnce lets one of many first readers hash and the others wait for it.
func (s *Store) verifyOnce(ctx context.Context, ref Ref, file *os.File) error {
	release, err := s.locks.take(ctx, ref)
	if err != nil {
		return err
	}
	defer release()
	info, err := file.Stat()
	if err != nil || s.verified.has(ref, info) {
		return err
	}
	return s.verify(ctx, ref, file, nil)
}

// adopt verifies a blob that a writer found in its place, and makes its bytes
// durable: whoever put it there, a restore for one, may not have. Its lock is
// held by the caller.
func (s *Store) adopt(ctx context.Context, ref Ref) error {
	file, _, err := s.openFile(ref)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.verify(ctx, ref, file, nil); err != nil {
		return err
	}
	return s.stopOn(syncFound(file))
}

// verify hashes an open file and remembers or forgets it. A file that changed
// meanwhile is not remembered: the state that was hashed is not the one it has.
func (s *Store) verify(ctx context.Context, ref Ref, file *os.File, pace Pace) error {
	before, err := file.Stat()
	if err != nil {
		return err
	}
	got, err := hashFile(ctx, file, pace)
	if errors.Is(err, syscall.EIO) {
		err = &CorruptError{Ref: ref, Err: err}
	} else if err == nil && got != ref {
		err = &CorruptError{Ref: ref, Got: got}
	}
	if err != nil {
		s.verified.forget(ref)
		return err
	}
	after, err := file.Stat()
	if err == nil && unchanged(before, after) {
		s.verified.add(ref, after)
	}
	return err
}

// hashPiece is how many bytes are hashed at a time.
const hashPiece = 256 << 10

// hashFile hashes all of a file without moving its offset, at a pace unless it
// is nil.
func hashFile(ctx context.Context, file *os.File, pace Pace) (ref Ref, err error) {
	h, piece := sha256.New(), make([]byte, hashPiece)
	for offset := int64(0); err == nil; {
		if err = ctx.Err(); err != nil {
			return Ref{}, err
		}
		var n int
		n, err = file.ReadAt(piece, offset)
		h.Write(piece[:n])
		offset += int64(n)
		if pace != nil {
			if late := pace(ctx, n); late != nil {
				return Ref{}, late
			}
		}
	}
	if err != io.EOF {
		return Ref{}, err
	}
	return Ref(h.Sum(nil)), nil
}
