package faults

import (
	"os"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// tokenRow is a row with a server that accepts only the token "first", and a kubeconfig that names a file with it. The server
// has TLS, because client-go sends no token without it.
func tokenRow(r row) row {
	r.options = []simcluster.Option{simcluster.WithTLS(), simcluster.WithToken("first")}
	if r.prepare == nil {
		r.prepare = func(b *bench) { b.user().Token, b.user().TokenFile = "", b.file("token", "first\n") }
	}
	return r
}

func credentialRows() []row {
	long := []string{"DURATION=6s", "API_GRACE=30s"}
	return []row{
		tokenRow(row{fault: "the token is rotated during the run", settings: long,
			during:  found(func(b *bench) { b.server.SetToken("second"); b.file("token", "second\n") }),
			verdict: "pass", says: "PASS"}),
		tokenRow(row{fault: "the token expires and is renewed later", settings: long,
			during: found(func(b *bench) {
				b.server.SetToken("second")
				if b.untilLogged("401 Unauthorized") {
					b.file("token", "second\n")
				}
			}),
			verdict: "pass", says: "checks succeed again after"}),
		tokenRow(row{fault: "the token expires and is not renewed", settings: []string{"DURATION=1h"}, allowed: time.Minute,
			during:  found(func(b *bench) { b.server.SetToken("second") }),
			verdict: "inconclusive", says: "401 Unauthorized: the server did not accept the credentials"}),
		tokenRow(row{fault: "the token file is removed", settings: []string{"DURATION=1h"}, allowed: time.Minute,
			during: found(func(b *bench) {
				if err := os.Remove(b.user().TokenFile); err != nil {
					b.Error(err)
				}
			}),
			verdict: "inconclusive", says: "cannot read the token: open .*no such file"}),
		tokenRow(row{fault: "the token file is emptied and filled again", settings: long,
			during: found(func(b *bench) {
				b.file("token", "")
				if b.untilLogged("is empty") {
					b.file("token", "first")
				}
			}),
			verdict: "pass", says: "checks succeed again after"}),
		tokenRow(row{fault: "the token is wrong from the start",
			prepare: func(b *bench) { b.user().Token = "wrong-one" },
			verdict: "inconclusive", says: "INCONCLUSIVE .*: the API server denies access: .*401 Unauthorized",
			check: func(b *bench) {
				if strings.Contains(b.stdout.String()+b.stderr.String(), "wrong-one") {
					b.Errorf("the output contains the token")
				}
			}}),
		{fault: "403 at the start, twice", settings: []string{"API_GRACE=8s"}, inject: simcluster.Times(2, simcluster.Fail(403, 0)),
			verdict: "pass", says: "403 Forbidden(?s:.*)checks succeed again after 2 failures"},
		{fault: "403 from the start, permanent", settings: []string{"API_GRACE=60s"}, inject: simcluster.Fail(403, 0),
			allowed: 20 * time.Second, // 10 s after the first answer, and a last attempt
			verdict: "inconclusive",
			says:    `INCONCLUSIVE .*: the API server denies access: .*403 Forbidden: .*permission to list pods in namespace shop: .*\{apiGroups: \[""\], resources: \["pods"\], verbs: \["list"\]\}`,
			check: func(b *bench) {
				if b.line.ElapsedSeconds < 10 {
					b.Errorf("it gave up after %v s: a new RoleBinding takes up to 10 s", b.line.ElapsedSeconds)
				}
			}},
		{fault: "403 later, twice", settings: long, during: found(func(b *bench) { b.server.Handle(simcluster.Times(2, simcluster.Fail(403, 0))) }),
			verdict: "pass", says: "403 Forbidden(?s:.*)checks succeed again after 2 failures"},
		{fault: "403 later, permanent", settings: []string{"DURATION=1h"}, allowed: time.Minute, during: found(func(b *bench) { b.server.Handle(simcluster.Fail(403, 0)) }),
			verdict: "inconclusive", says: "INCONCLUSIVE .*: the pods were not observed in the last .*403 Forbidden"},
	}
}
