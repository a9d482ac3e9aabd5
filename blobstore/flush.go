package blobstore

import "os"

// flushStep is how many bytes of a large blob may be on their way to the disk
// before it is told to make them durable, beside the writing. A disk has a
// memory of its own, often the host's: left to the end, a GiB in there takes a
// second or more of an fsync.
const flushStep = 16 << 20

// flusher makes what was written of a file durable while more is written. It
// promises nothing, that is for the fsync at the end to do; but a fault is told
// only once, so one that the flusher met fails the file.
type flusher struct {
	file    *os.File
	asked   int64      // bytes that were there when it was last asked
	running chan error // gets the outcome of the flush at work, nil if there is none
	fault   error
}

// wrote says how many bytes there are now.
func (f *flusher) wrote(size int64) error {
	if f.running != nil {
		select {
		case f.fault = <-f.running:
			f.running = nil
		default:
			return nil
		}
	}
	if f.fault == nil && size-f.asked >= flushStep {
		f.asked = size
		running := make(chan error, 1)
		f.running = running
		go func() { running <- flush(f.file) }()
	}
	return f.fault
}

// wait waits for the flush at work and gives the first fault.
func (f *flusher) wait() error {
	if f.running != nil {
		f.fault = <-f.running
		f.running = nil
	}
	return f.fault
}
