package intake

import "slices"

// maxIgnored bounds how many names a row may have that mean nothing, for each
// is compared with those before it.
const maxIgnored = 256

// objectRow reads rows that are JSON objects.
type objectRow struct {
	writer  *writer
	lexer   lexer
	seen    uint64   // fields whose names were met
	ignored []string // names that mean nothing
	scope   string   // in front of names in errors
	bad     *fault   // the first fault that leaves the object well-formed
}

func newObjectRow(w *writer) *objectRow { return &objectRow{writer: w} }

// read fills the row that was begun from an object that data holds alone. bad
// is what is wrong with a well-formed object, malformed what is no JSON.
func (r *objectRow) read(data []byte) (bad *fault, malformed *syntaxError) {
	r.lexer.reset(data)
	r.clear()
	if malformed = r.whole(func() *syntaxError { return r.lexer.members(r.member) }); malformed != nil {
		return nil, malformed
	}
	return r.bad, nil
}

func (r *objectRow) clear() {
	r.seen, r.ignored, r.bad = 0, r.ignored[:0], nil
}

// whole reads an object with the function given, or any other value, which is
// a fault, and sees to it that nothing follows.
func (r *objectRow) whole(object func() *syntaxError) *syntaxError {
	l := &r.lexer
	if l.peek() == '{' {
		if err := object(); err != nil {
			return err
		}
	} else {
		c, err := l.value()
		if err != nil {
			return err
		}
		r.fail(c.mistyped("a JSON object"))
	}
	if l.peek() != 0 || l.pos < len(l.data) {
		return l.unexpected("the end of the row")
	}
	return nil
}

func (r *objectRow) fail(bad *fault) {
	if r.bad == nil {
		r.bad = bad
	}
}

// member reads a member's value into the fields that its name means.
func (r *objectRow) member(name []byte) *syntaxError {
	value, err := r.lexer.value()
	if err != nil {
		return err
	}
	r.take(r.writer.sources[string(name)], name, value)
	return nil
}

// take gives a value to the fields that its name means; there may be none.
func (r *objectRow) take(fields []int, name []byte, value cell) {
	if len(fields) == 0 {
		r.ignore(name)
	}
	for _, i := range fields {
		if r.seen&(1<<i) != 0 {
			r.fail(faultf(CodeDuplicate, "stands twice in the row").on(r.nameOf(name)))
			return
		}
		r.seen |= 1 << i
		if bad := r.writer.put(i, value); bad != nil {
			r.fail(bad)
		}
	}
}

// ignore passes over a name that means nothing, where that is allowed.
func (r *objectRow) ignore(name []byte) {
	if p := r.writer.plan; !p.open {
		r.fail(faultf(CodeUnknownField, "%s; %s", unknown(string(name), p.target), p.unknownHint()).on(r.nameOf(name)))
		return
	}
	r.once(name)
}

// once refuses a name that was met before and is no field's.
func (r *objectRow) once(name []byte) {
	switch {
	case slices.Contains(r.ignored, r.scope+string(name)):
		r.fail(faultf(CodeDuplicate, "stands twice in the row").on(r.nameOf(name)))
	case len(r.ignored) == maxIgnored:
		r.fail(faultf(CodeMalformedRow, "has more than %d names that mean nothing", maxIgnored))
	case r.bad == nil:
		r.ignored = append(r.ignored, r.scope+string(name))
	}
}

// nameOf shows a name in an error: as it is, unless it is odd or long.
func (r *objectRow) nameOf(name []byte) string {
	if quoted := quote(name); len(quoted) != len(name)+2 {
		return r.scope + quoted
	}
	return r.scope + string(name)
}
