package render

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// withoutConfigDir keeps the library from making a directory in the user's
// home. It sets a global variable, so it must not run beside a reader of it.
var withoutConfigDir = sync.OnceFunc(func() { model.ConfigPath = "disable" })

// pdfData opens the data that is attached to a PDF. It is unpacked while it is
// read.
func pdfData(r io.ReaderAt, size int64) (data io.Reader, err error) {
	defer func() { // the library's parser panics on some broken files
		if problem := recover(); problem != nil {
			data, err = nil, fmt.Errorf("read the file: %v", problem)
		}
	}()
	withoutConfigDir()
	conf := model.NewDefaultConfiguration()
	conf.Offline = true
	file, err := pdfcpu.Read(io.NewSectionReader(r, 0, size), conf)
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	stream, err := attachment(file.XRefTable)
	if err != nil {
		return nil, fmt.Errorf("find the attached %s: %w", pdfAttachment, err)
	}
	return zlib.NewReader(bytes.NewReader(stream.Raw))
}

// attachment finds the one attachment.
func attachment(file *model.XRefTable) (*types.StreamDict, error) {
	root, err := file.Catalog()
	if err != nil {
		return nil, err
	}
	files, err := descend(file, root, "Names", "EmbeddedFiles")
	if err != nil {
		return nil, err
	}
	names, err := file.DereferenceArray(files["Names"])
	if err != nil {
		return nil, err
	}
	if len(names) != 2 || names[0] != types.StringLiteral(pdfAttachment) {
		return nil, fmt.Errorf("it is not the only attachment: %v", names)
	}
	specification, err := file.DereferenceDict(names[1])
	if err != nil {
		return nil, err
	}
	embedded, err := descend(file, specification, "EF")
	if err != nil {
		return nil, err
	}
	stream, _, err := file.DereferenceStreamDict(embedded["F"])
	switch {
	case err != nil:
		return nil, err
	case stream == nil:
		return nil, errors.New("it has no content")
	case len(stream.FilterPipeline) != 1 || stream.FilterPipeline[0].Name != "FlateDecode":
		return nil, errors.New("it is not packed with FlateDecode alone")
	}
	return stream, nil
}

// descend follows names from dictionary to dictionary.
func descend(file *model.XRefTable, d types.Dict, names ...string) (types.Dict, error) {
	for _, name := range names {
		next, err := file.DereferenceDict(d[name])
		if err != nil {
			return nil, err
		}
		if next == nil {
			return nil, fmt.Errorf("no %s", name)
		}
		d = next
	}
	return d, nil
}
