package exporter

import (
	"errors"
	"sync"
	"syscall"

	"licensekit/blobstore"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/metadb"
)

// IsOutage tells whether an error is one of the disk, or says that a part of
// the data directory takes no more writes until it is opened again: after an
// I/O error it is unknown what the disk holds. A full disk is no such error.
func IsOutage(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, metadb.ErrFailed) || errors.Is(err, blobstore.ErrFault) || errors.Is(err, tilelog.ErrBroken)
}

// outage is the first error of that kind. Whoever serves should stop then.
type outage struct {
	once  sync.Once
	begun chan struct{} // closed once err is set
	err   error
}

// notice keeps the error if it is one of an outage, and passes it on.
func (o *outage) notice(err error) error {
	if err != nil && IsOutage(err) {
		o.once.Do(func() { o.err = err; close(o.begun) })
	}
	return err
}

// Failed is closed once making exports is useless until the data directory has
// been opened again; [Exporter.Err] says why.
func (e *Exporter) Failed() <-chan struct{} { return e.outage.begun }

// Err is why [Exporter.Failed] is closed, nil if it isn't. It is one that
// [IsOutage] knows.
func (e *Exporter) Err() error {
	select {
	case <-e.outage.begun:
		return e.outage.err
	default:
		return nil
	}
}
