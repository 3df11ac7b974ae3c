// The inner loop with UDOT in place of the tree of ADDP and the UADALP: 4 pixels x 5 channels, 128
// bits of each a round. It is here for the model in tools/arm_report.py, and not in the library.
again:
	ldp q20, q21, [x4], #32
	ldp q22, q23, [x4], #32
	ldr q24, [x4], #16
	ldr q25, [x0], #16
	eor v26.16b, v25.16b, v20.16b
	cnt v26.16b, v26.16b
	udot v0.4s, v26.16b, v31.16b
	eor v27.16b, v25.16b, v21.16b
	cnt v27.16b, v27.16b
	udot v1.4s, v27.16b, v31.16b
	eor v28.16b, v25.16b, v22.16b
	cnt v28.16b, v28.16b
	udot v2.4s, v28.16b, v31.16b
	eor v29.16b, v25.16b, v23.16b
	cnt v29.16b, v29.16b
	udot v3.4s, v29.16b, v31.16b
	eor v30.16b, v25.16b, v24.16b
	cnt v30.16b, v30.16b
	udot v4.4s, v30.16b, v31.16b
	ldr q25, [x1], #16
	eor v26.16b, v25.16b, v20.16b
	cnt v26.16b, v26.16b
	udot v5.4s, v26.16b, v31.16b
	eor v27.16b, v25.16b, v21.16b
	cnt v27.16b, v27.16b
	udot v6.4s, v27.16b, v31.16b
	eor v28.16b, v25.16b, v22.16b
	cnt v28.16b, v28.16b
	udot v7.4s, v28.16b, v31.16b
	eor v29.16b, v25.16b, v23.16b
	cnt v29.16b, v29.16b
	udot v8.4s, v29.16b, v31.16b
	eor v30.16b, v25.16b, v24.16b
	cnt v30.16b, v30.16b
	udot v9.4s, v30.16b, v31.16b
	ldr q25, [x2], #16
	eor v26.16b, v25.16b, v20.16b
	cnt v26.16b, v26.16b
	udot v10.4s, v26.16b, v31.16b
	eor v27.16b, v25.16b, v21.16b
	cnt v27.16b, v27.16b
	udot v11.4s, v27.16b, v31.16b
	eor v28.16b, v25.16b, v22.16b
	cnt v28.16b, v28.16b
	udot v12.4s, v28.16b, v31.16b
	eor v29.16b, v25.16b, v23.16b
	cnt v29.16b, v29.16b
	udot v13.4s, v29.16b, v31.16b
	eor v30.16b, v25.16b, v24.16b
	cnt v30.16b, v30.16b
	udot v14.4s, v30.16b, v31.16b
	ldr q25, [x3], #16
	eor v26.16b, v25.16b, v20.16b
	cnt v26.16b, v26.16b
	udot v15.4s, v26.16b, v31.16b
	eor v27.16b, v25.16b, v21.16b
	cnt v27.16b, v27.16b
	udot v16.4s, v27.16b, v31.16b
	eor v28.16b, v25.16b, v22.16b
	cnt v28.16b, v28.16b
	udot v17.4s, v28.16b, v31.16b
	eor v29.16b, v25.16b, v23.16b
	cnt v29.16b, v29.16b
	udot v18.4s, v29.16b, v31.16b
	eor v30.16b, v25.16b, v24.16b
	cnt v30.16b, v30.16b
	udot v19.4s, v30.16b, v31.16b
	subs x5, x5, #1
	b.ne again
