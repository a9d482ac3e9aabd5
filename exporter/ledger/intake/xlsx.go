package intake

import (
	"errors"
	"fmt"
	"io"
	"os"

	"licensekit/exporter/report"
)

// readXLSX reads a sheet whose first row that is not empty is the header.
func readXLSX(in *source, w *writer) (err error) {
	spool, size, err := spool(in, w.options.Tmp, w.limits.FileBytes)
	if err != nil {
		return err
	}
	defer func() {
		if problem := errors.Join(spool.Close(), os.Remove(spool.Name())); err == nil {
			err = problem
		}
	}()
	book, err := openWorkbook(spool, size, w.options.Sheet, w.limits)
	if err != nil {
		return err
	}
	w.clock.is1904 = book.is1904
	part, err := book.open(book.sheet, w.limits.PartBytes)
	if err != nil {
		return err
	}
	defer part.Close()
	return w.sheet(newSheetReader(book, part))
}

// spool keeps the file on disk, for the directory of a zip archive stands at
// its end.
func spool(in *source, dir string, limit int64) (file *os.File, size int64, err error) {
	file, err = os.CreateTemp(dir, "intake-*.xlsx")
	if err != nil {
		return nil, 0, fmt.Errorf("spool a spreadsheet: %w", err)
	}
	size, err = io.Copy(file, io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		err = broken(0, err)
	case size == 0:
		err = &FileError{Code: CodeEmptyFile, Message: "the file is empty"}
	case size > limit:
		err = &FileError{Code: CodeFileTooLarge, Message: fmt.Sprintf("the file has more than %d bytes", limit), Hint: "split it, or send it as CSV"}
	}
	if err != nil {
		file.Close()
		os.Remove(file.Name())
		return nil, 0, err
	}
	return file, size, nil
}

// sheet reads the rows of a sheet; empty ones are none.
func (w *writer) sheet(rows *sheetReader) error {
	var bindings []binding
	for {
		err := rows.next()
		if err == io.EOF && bindings == nil {
			return &FileError{Code: CodeEmptyFile, Message: "the sheet is empty", Hint: "name the sheet that holds the rows"}
		}
		if err == io.EOF {
			return nil
		}
		switch {
		case err != nil:
		case rows.isEmpty():
		case bindings == nil:
			bindings, err = rows.header(w.plan)
		default:
			w.start()
			err = w.end(rows.line, rows.size(), w.fillCells(rows, bindings))
		}
		if err != nil {
			return err
		}
	}
}

func (r *sheetReader) isEmpty() bool {
	for _, c := range r.cells {
		if !c.empty() {
			return false
		}
	}
	return true
}

// size is the row's share of a batch.
func (r *sheetReader) size() (n int) {
	for _, c := range r.cells {
		n += len(c.text)
	}
	return n
}

func (r *sheetReader) header(p *plan) ([]binding, error) {
	var names []string
	for column, c := range r.cells {
		problem := report.CheckText(string(c.text), report.MaxText)
		if c.formula {
			problem = "holds a formula"
		}
		if problem != "" {
			return nil, &FileError{Line: r.line, Field: r.name(column), Code: CodeInvalidText, Message: problem, Hint: "the first row must name the columns"}
		}
		names = append(names, string(c.text))
	}
	bindings, err := p.bind(names, r.line)
	if err == nil && !p.open {
		bindings = append(bindings, binding{len(names), beyond})
	}
	return bindings, err
}

// beyond stands for all columns from one on, which the header does not name.
const beyond = -2

// name is that of a cell in the row that was read, such as B7.
func (r *sheetReader) name(column int) string {
	return fmt.Sprint(columnName(column), r.line)
}

// fillCells takes a row's values over, up to the first that is wrong.
func (w *writer) fillCells(rows *sheetReader, bindings []binding) *fault {
	for _, b := range bindings {
		last := b.column
		if b.field == beyond {
			last = len(rows.cells) - 1
		}
		for column := b.column; column <= last && column < len(rows.cells); column++ {
			if bad := w.fillCell(rows, column, b.field); bad != nil {
				return bad
			}
		}
	}
	return nil
}

func (w *writer) fillCell(rows *sheetReader, column, i int) *fault {
	c := rows.cells[column]
	if c.empty() {
		return nil
	}
	if i < 0 {
		return faultf(CodeMalformedRow, "cell %s has a value, but its column has no name", rows.name(column))
	}
	name := w.fields[i].name
	switch {
	case c.formula:
		return faultf(CodeInvalidValue, "cell %s holds a formula; paste its value in its place", rows.name(column)).on(name)
	case c.failed:
		return faultf(CodeInvalidValue, "cell %s holds the error %s", rows.name(column), quote(c.text)).on(name)
	}
	return w.put(i, c.cell)
}
